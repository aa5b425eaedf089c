"""Streams are added, edited and removed while the service runs, and are there again after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until
from tests.whep_server import WhepServer

TOKEN = "a-token-of-the-media-server"
BOUNDS = {
    "schemes": ["rtsp", "whip", "whep+http"],
    # Of the media server: its name for itself, and its candidates, which are this machine's addresses.
    "networks": ["127.0.0.1/32", "0.0.0.0/0", "::/0"],
}


@pytest.fixture(scope="module")
def media() -> Iterator[WhepServer]:
    with WhepServer(TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    make_clip(folder / "tape.mp4", seconds=6, manipulated_from_s=0, names=["astronaut"])
    config = {
        "streams": [{"name": "tape", "url": f"file:{folder / 'tape.mp4'}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "decision": {"threshold": 1000, "min_blocks": 4},
        "web": {"port": 0, "added_streams": BOUNDS},
    }
    with RunningService(folder, config) as running:
        yield running


def api(service: RunningService, method: str, path: str = "", **sent: Any) -> httpx.Response:
    return httpx.request(method, f"{service.web_url}/api/v1/configuration/streams{path}", timeout=60, **sent)


def states(service: RunningService) -> dict[str, str]:
    streams: dict[str, str] = httpx.get(f"{service.web_url}/readyz").json()["streams"]
    return streams


def frames(service: RunningService, name: str) -> float:
    stream = httpx.get(f"{service.web_url}/api/v1/streams/{name}").json()
    return float(stream["figures"]["values"].get("frames", 0))


def test_an_added_stream_is_watched(service: RunningService, media: WhepServer) -> None:
    wait_until(lambda: states(service)["tape"] == "live")
    before = wait_until(lambda: frames(service, "tape"))
    sent = {"name": "hall", "url": media.url(), "token": TOKEN}
    tried = api(service, "POST", "/check", json=sent).json()
    assert (tried["ok"], tried["width"], tried["height"], tried["error"]) == (True, 320, 240, None)
    assert "hall" not in states(service)
    answer = api(service, "POST", json=sent)
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/configuration/streams/hall")
    assert (answer.json()["from"], answer.json()["watched"], answer.json()["settings"]["token"]) == (
        "added",
        True,
        "***",
    )
    wait_until(lambda: states(service)["hall"] == "live")
    assert api(service, "POST", json=sent).status_code == 409
    assert [each["name"] for each in api(service, "GET").json()["items"]] == ["tape", "hall"]
    assert TOKEN not in api(service, "GET").text + api(service, "GET", "/hall").text
    assert frames(service, "tape") >= before  # counts of a stream that begins anew begin at 0


def test_what_is_edited_begins_anew_and_all_else_goes_on(service: RunningService, media: WhepServer) -> None:
    before, asked = wait_until(lambda: frames(service, "tape")), len(media.asked)
    assert api(service, "PUT", "/hall", json={"stall_s": 20}).json()["settings"]["stall_s"] == 20
    wait_until(lambda: len(media.asked) > asked)
    assert media.asked[-1] == ("/whep/lobby", f"Bearer {TOKEN}")  # which was left out, and is kept
    wait_until(lambda: states(service)["hall"] == "live")
    assert frames(service, "tape") >= before
    assert "tape: stopped" not in service.log_text()


def test_refusals_name_the_field(service: RunningService) -> None:
    for fields, place in (
        ({"url": f"file:{service.path}"}, "body.url"),
        ({"url": "whip:", "token": "${PATH}"}, "body.token"),
        ({"url": "rtsp://169.254.169.254/"}, "body.url"),
    ):
        refused = api(service, "POST", json={"name": "porch", **fields})
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert [each["place"] for each in refused.json()["errors"]] == [place]
    assert api(service, "DELETE", "/tape").status_code == 409
    assert str(service.path) in api(service, "PUT", "/tape", json={"url": "whip:"}).json()["detail"]
    assert set(states(service)) == {"tape", "hall"}


def test_it_is_there_after_a_restart_and_gone_once_removed(service: RunningService, media: WhepServer) -> None:
    file = service.path.read_text()
    assert service.terminate()[0] == 0
    assert TOKEN not in service.log_text()
    assert service.path.read_text() == file
    service.start()
    assert api(service, "GET", "/hall").json()["settings"]["stall_s"] == 20
    wait_until(lambda: states(service)["hall"] == "live")
    with Subscriber(service.mqtt_port, "gend/#") as subscriber:
        subscriber.heard("gend/streams/hall/status", state="live")
        assert api(service, "DELETE", "/hall").status_code == 204
        subscriber.heard("gend/streams/hall/status", state="stopped", reason="no longer configured")
    assert set(states(service)) == {"tape"}
    assert api(service, "GET", "/hall").status_code == 404


def test_a_stream_of_the_file_takes_the_place_of_an_added_one(service: RunningService) -> None:
    assert api(service, "POST", json={"name": "porch", "url": "whip:", "token": TOKEN}).status_code == 201
    tree = yaml.safe_load(service.path.read_text())
    tape = tree["streams"][0]
    _replace(service.path, tree | {"streams": [tape, {**tape, "name": "porch"}]})
    service.wait_for_log(
        "porch: this added stream is not watched: the configuration file has a stream of the same name"
    )
    of_file, added = [each for each in api(service, "GET").json()["items"] if each["name"] == "porch"]
    assert (of_file["from"], of_file["watched"], added["from"], added["watched"]) == ("file", True, "added", False)
    _replace(service.path, tree)
    wait_until(lambda: api(service, "GET", "/porch").json()["from"] == "added")
    assert service.terminate()[0] == 0
    assert "Traceback" not in service.log_text()
    assert TOKEN not in service.log_text()


def _replace(path: Path, tree: dict[str, Any]) -> None:
    after = path.with_suffix(f".{time.monotonic_ns()}")
    after.write_text(yaml.safe_dump(tree))
    after.replace(path)
