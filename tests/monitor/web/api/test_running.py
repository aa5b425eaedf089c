"""The API of a service that runs: a clip in, an alert, its review and its evidence out."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until


@dataclass
class Running:
    """A service that has raised an alert."""

    service: RunningService
    http: httpx.Client
    alert: dict[str, Any]
    """As a subscriber of MQTT got it."""
    events: list[str]
    """Lines of /events, from the beginning on."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("service")
    make_clip(folder / "tape.mp4", seconds=12, manipulated_from_s=0, names=["astronaut"])
    config = {
        "streams": [{"name": "tape", "url": f"file:{folder / 'tape.mp4'}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "evidence": {"folder": str(folder / "evidence"), "clip_s": 0},
        "web": {"port": 0, "upload_mb": 2},
    }
    with (
        RunningService(folder, config) as service,
        Subscriber(service.mqtt_port, "gend/#") as subscriber,
        httpx.Client(base_url=f"{service.web_url}/api/v1", timeout=60) as http_client,
    ):
        lines: list[str] = []
        threading.Thread(target=_follow, args=(service.web_url, lines), daemon=True).start()
        alert = subscriber.heard("gend/alerts/tape", type="raised")
        yield Running(service, http_client, alert, lines)
        # Whoever follows does not keep it from ending.
        code, _ = service.terminate()
        assert code == 0, service.log_text()
        assert "Traceback" not in service.log_text()


def _follow(url: str, lines: list[str]) -> None:
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=120) as answer:
        for line in answer.iter_lines():
            lines += [line]  # at once, while the others come


def test_alert_is_what_subscribers_got(running: Running) -> None:
    alert_id = running.alert["alert_id"]
    (listed,) = [each for each in running.http.get("/alerts").json()["items"] if each["alert_id"] == alert_id]
    assert listed["raised"] == running.alert
    told = [json.loads(line[6:]) for line in wait_for_event(running, "alert")]
    assert running.alert in told


def wait_for_event(running: Running, kind: str) -> list[str]:
    """The data lines of events of that kind."""

    def found() -> list[str]:
        lines = list(running.events)
        return [after for line, after in itertools.pairwise(lines) if line == f"event: {kind}"]

    return wait_until(found)


def test_stream_is_live_with_figures_and_verdicts(running: Running) -> None:
    stream = running.http.get("/streams/tape").json()
    assert stream["figures"]["values"]["frames"] > 0
    assert stream["figures"]["values"]["crops_sampled"] > 0
    assert "superseded" in stream["figures"]["by_cause"]["frames_dropped"]
    (verdict, *_) = wait_until(lambda: running.http.get("/streams/tape/verdicts").json()["items"])
    assert verdict["stream"] == "tape"
    assert json.loads(wait_for_event(running, "verdict")[0][6:])["stream"] == "tape"
    system = running.http.get("/system").json()
    assert (system["health"]["ready"], system["model"]["weights"]) == (True, running.alert["model"]["weights"])
    assert system["listeners"]["subscribers"] == 1
    metrics = httpx.get(f"{running.service.web_url}/metrics").text
    assert "gend_listeners 1.0" in metrics


def test_review_and_evidence(running: Running) -> None:
    address = f"/alerts/{running.alert['alert_id']}"
    said = running.http.post(f"{address}/reviews", json={"answer": "right", "note": "the mouth"})
    assert (said.status_code, said.json()["reviews"][-1]["by"]) == (201, "local")
    (package,) = wait_until(lambda: running.http.get(f"{address}/evidence").json()["items"])
    base = f"/evidence/tape/{package['name']}"
    assert running.http.get(f"{base}/verification").json()["signer_known"] is True
    assert running.http.get(f"{base}/verification").json()["intact"] is True
    assert running.http.get(f"{base}/files/alert.json").json() == running.alert
    head = running.http.head(f"{base}/files/alert.json")
    assert (head.status_code, head.content) == (200, b"")
    # As no client that tidies addresses would send it.
    host = running.service.web_url.removeprefix("http://")
    for name in ("../../../alerts.db", "..%2f..%2f..%2falerts.db", "../signing-key.pem"):
        raw = http.client.HTTPConnection(host, timeout=60)
        raw.request("GET", f"/api/v1{base}/files/{name}")
        assert raw.getresponse().status in {404, 422}
        raw.close()


def test_snooze_holds_at_once_and_the_file_is_read_again(running: Running) -> None:
    assert running.http.post("/streams/tape/snooze", json={"for_s": 600}).status_code == 200
    snoozed = running.http.get("/streams/tape").json()["status"]["snoozed_until"]
    assert snoozed is not None
    running.http.delete("/streams/tape/snooze")
    assert running.http.get("/streams/tape").json()["status"]["snoozed_until"] is None
    assert running.http.post("/configuration/reload").json() == {"begun": [], "gone": [], "waiting": []}
    running.service.wait_for_log("the configuration is taken over for local")
    file = running.service.path
    content = file.read_text()
    file.write_text(content + "\nnonsense: true\n")
    refused = running.http.post("/configuration/reload")
    file.write_text(content)
    assert refused.status_code == 409
    assert "nonsense" in refused.json()["detail"]


def finished(running: Running, address: str) -> dict[str, Any] | None:
    job: dict[str, Any] = running.http.get(address).json()
    return job if job["state"] in {"done", "failed"} else None


def test_picture_that_is_sent_is_scored(running: Running) -> None:
    with av.open(running.service.path.with_name("tape.mp4")) as tape:
        picture = io.BytesIO()
        next(tape.decode(video=0)).to_image().save(  # type: ignore[no-untyped-call]
            picture, "JPEG"
        )
    sent = running.http.post("/scores", files={"file": ("../me.jpg", picture.getvalue())}, data={"annotate": "true"})
    assert (sent.status_code, sent.json()["file"]) == (202, "me.jpg")
    address = sent.headers["location"].removeprefix("/api/v1")
    whole = wait_until(lambda: finished(running, address), 100)
    assert (whole["state"], whole["error"]) == ("done", None)
    assert (whole["result"]["path"], whole["result"]["faces"]) == ("me.jpg", 1)
    assert 0 <= whole["result"]["details"][0]["p_fake"] <= 1
    assert ([picture["frame"] for picture in whole["pictures"]], whole["annotated"]) == ([0], True)
    assert running.http.get(f"{address}/result.json").json() == whole["result"]
    table = running.http.get(f"{address}/faces.csv")
    assert table.text.startswith("frame,at_s,track,x0,y0,x1,y1,confidence,logit,p_fake\n0,0.000,1,")
    for part, kind in (("annotated", "image/png"), ("pictures/0", "image/jpeg")):
        shown = running.http.get(f"{address}/{part}")
        assert (shown.status_code, shown.headers["content-type"]) == (200, kind)
        with Image.open(io.BytesIO(shown.content)) as image:
            assert image.height > 100
    assert running.http.get(f"{address}/pictures/1").status_code == 404
    assert [job["id"] for job in running.http.get("/scores").json()["items"]] == [whole["id"]]
    assert running.http.delete(address).status_code == 204
    assert running.http.get(address).status_code == 404
    large = running.http.post("/scores", files={"file": ("large.png", bytes(3_000_000))})
    assert (large.status_code, large.headers["content-type"]) == (413, "application/problem+json")


def test_other_sites_may_not_write(running: Running) -> None:
    foreign = {"Origin": "http://evil.example"}
    assert running.http.post("/configuration/reload", headers=foreign).status_code == 403
    assert running.http.get("/streams", headers={"Host": "evil.example"}).status_code == 421


CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


ENDLESS = ["/board", "/events", "/streams/{stream}/faces"]


@pytest.mark.timeout(400)  # ten questions to each of many routes
def test_whatever_is_asked_is_answered_as_declared(running: Running) -> None:
    schema = schemathesis.openapi.from_url(f"{running.http.base_url}openapi.json")
    known = {
        "stream": "tape",
        "alert_id": running.alert["alert_id"],
        "package": f"{running.alert['at'][:19].replace('-', '').replace(':', '')}Z-{running.alert['alert_id']}",
        "name": "alert.json",
        "job_id": "0" * 32,
        "frame": 0,
    }
    asked = []
    for found in schema.exclude(path=ENDLESS).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        # What can be meant, and what cannot.
        strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=st.one_of(strategies))
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)
            if case.path_parameters:  # the same of something that is there
                case.path_parameters = {name: known[name] for name in case.path_parameters}
                case.call_and_validate(checks=CHECKS)

        ask()
        asked.append(operation.label)
    assert len(asked) == 48
