"""Calls: each caller of a stream of `sessions: many` gets a stream of their own, which leaves nothing behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from monitor.demo.clip import make_clip
from tests.broker import Mosquitto
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until
from tests.webrtc_client import Film, Publisher

TOKEN = "a token for the desk"
LOST_S, UNUSED_S = 8, 12


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def service(broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {
        "streams": [
            {"name": "desk", "url": "whip:", "sessions": "many"},
            {"name": "guarded", "url": "whip:", "sessions": "many", "token": TOKEN},
            {"name": "single", "url": "whip:"},
        ],
        "mqtt": {"url": broker.url},
        "faces": {"min_face_px": 60},
        "evidence": {"folder": str(tmp_path_factory.mktemp("evidence")), "clip_s": 0},
        "webrtc": {"max_calls": 3, "call_unused_s": UNUSED_S, "call_lost_s": LOST_S},
        "workers": {"isolation": "thread"},
    }
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "fake.mp4"
    make_clip(path, seconds=9, manipulated_from_s=0, names=["astronaut"])
    return path


class Clip(Film):
    """Plays a recording again and again."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        import av

        with av.open(str(path)) as source:
            self._pictures = [frame.reformat(format="yuv420p") for frame in source.decode(video=0)]

    async def recv(self) -> Any:
        pts, time_base = await self.next_timestamp()
        frame = self._pictures[self._count % len(self._pictures)]
        self._count += 1
        frame.pts, frame.time_base = pts, time_base
        return frame


def get(service: RunningService, path: str) -> Any:
    return httpx.get(f"{service.web_url}/api/v1{path}").raise_for_status().json()


def streams(service: RunningService) -> dict[str, dict[str, Any]]:
    return {stream["name"]: stream for stream in get(service, "/streams")["items"]}


def calls(service: RunningService) -> set[str]:
    return {name for name, stream in streams(service).items() if stream["call_of"] is not None}


def begin(service: RunningService, stream: str = "desk", token: str | None = None) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    begun = httpx.post(f"{service.web_url}/api/v1/streams/{stream}/calls", headers=headers, timeout=30)
    assert begun.status_code == 201, begun.text
    told: dict[str, Any] = begun.json()
    return told


def publish(service: RunningService, publisher: Publisher, call: dict[str, Any]) -> None:
    answer = publisher.publish(f"{service.web_url}{call['whip_url']}", token=call["token"])
    assert answer.status_code == 201, answer.text


def end(publisher: Publisher, token: str) -> None:
    assert publisher.session is not None
    assert httpx.delete(publisher.session, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 200


def retained(broker: Mosquitto) -> dict[str, bytes]:
    """What somebody is told who comes now; the last topic of all is told last."""
    with Subscriber(broker.port, "#") as late:
        wait_until(lambda: late.connected)
        wait_until(lambda: any(topic == "gend/status" for topic, _ in list(late.messages.queue)))
        return dict(late.messages.queue)


def test_a_stream_that_takes_calls_waits_for_callers_and_harms_nothing(
    service: RunningService, broker: Mosquitto
) -> None:
    ready = httpx.get(f"{service.web_url}/readyz")
    assert (ready.status_code, ready.json()["streams"]["desk"]) == (200, "connecting")
    desk = streams(service)["desk"]
    assert (desk["status"]["reason"], desk["status"]["degraded"], desk["calls"]) == ("waits for callers", [], 0)
    assert streams(service)["single"]["calls"] is None
    with Subscriber(broker.port, "gend/#") as subscriber:
        subscriber.wait_for("gend/streams/desk/status", state="connecting", reason="waits for callers")
    metrics = httpx.get(f"{service.web_url}/metrics").text
    assert 'gend_frames_total{stream="desk"}' not in metrics
    assert 'gend_stream_state{state="connecting",stream="desk"} 1.0' in metrics


def test_callers_are_told_what_is_held_of_them_and_for_how_long(service: RunningService) -> None:
    desk, single = (httpx.get(f"{service.web_url}/call/{stream}").text for stream in ("desk", "single"))
    assert "for ten minutes at the most and never longer than your call lasts, and then forgotten" in desk
    assert "for ten minutes at the most, and then forgotten" in single
    assert "Of an alert, evidence is kept" in desk
    assert "{{" not in desk + single


def test_of_a_stream_that_is_not_watched_itself_no_session_can_be_ended(service: RunningService) -> None:
    left = httpx.delete(f"{service.web_url}/whip/desk/session")
    assert (left.status_code, left.json()["detail"]) == (404, "there is no such session")


def test_two_calls_at_once_are_judged_apart_and_nothing_is_left_of_them(
    service: RunningService, broker: Mosquitto, fake: Path
) -> None:
    with (
        Subscriber(broker.port, "gend/#") as subscriber,
        Publisher(film=Clip(fake)) as caller,
        Publisher() as other,
    ):
        judged, still = begin(service), begin(service)
        for call in (judged, still):
            assert re.fullmatch(r"call-[a-z2-7]{24}", call["name"])
        assert (judged["call_of"], judged["whip_url"]) == ("desk", f"/whip/{judged['name']}")
        # The token of one opens no other, and nobody gets in without one.
        with Publisher() as stranger:
            at = f"{service.web_url}{judged['whip_url']}"
            assert stranger.publish(at, token=still["token"]).status_code == 401
            assert stranger.publish(at).status_code == 401
        publish(service, caller, judged)
        publish(service, other, still)
        alert = subscriber.heard(f"gend/alerts/{judged['name']}", type="raised")
        assert (alert["call_of"], alert["verdict"]) == ("desk", "fake")
        wait_until(lambda: streams(service)[still["name"]]["status"]["state"] == "live")
        shown = streams(service)
        assert shown["desk"]["calls"] == 2
        assert 'gend_calls{stream="desk"} 2.0' in httpx.get(f"{service.web_url}/metrics").text
        assert shown["desk"]["status"]["reason"] == "2 calls"
        assert shown["desk"]["alerting"]
        assert (shown[judged["name"]]["alerting"], shown[still["name"]]["alerting"]) == (True, False)
        assert get(service, f"/streams/{still['name']}/verdicts")["items"] == []
        (face,) = get(service, f"/streams/{judged['name']}/verdicts")["items"]
        assert face["stream"] == judged["name"]
        end(caller, judged["token"])
        cleared = subscriber.heard(f"gend/alerts/{judged['name']}", type="cleared")
        assert (cleared["alert_id"], cleared["reason"]) == (alert["alert_id"], "the caller has left")
        assert calls(service) == {still["name"]}
        assert httpx.get(f"{service.web_url}/api/v1/streams/{judged['name']}").status_code == 404
        with Publisher() as late:
            at = f"{service.web_url}{judged['whip_url']}"
            assert late.publish(at, token=judged["token"]).status_code == 404
        end(other, still["token"])
    wait_until(lambda: not [topic for topic in retained(broker) if "call-" in topic])
    assert retained(broker)["gend/streams/desk/alert"] == b"OFF"
    assert "call-" not in httpx.get(f"{service.web_url}/metrics").text
    wait_until(lambda: get(service, f"/alerts/{alert['alert_id']}/evidence")["items"])
    (episode,) = get(service, "/alerts?stream=desk")["items"]
    assert (episode["alert_id"], episode["stream"]) == (alert["alert_id"], judged["name"])
    assert judged["token"] not in service.log_text()


def test_plain_whip_with_the_streams_token_is_a_call_too(service: RunningService) -> None:
    at = f"{service.web_url}/whip/guarded"
    with Publisher("H264") as caller, Publisher() as other:
        assert caller.publish(at).status_code == 401
        begun = httpx.post(f"{service.web_url}/api/v1/streams/guarded/calls")
        assert begun.status_code == 403  # nobody has logged in here, which proves nothing
        assert caller.publish(at, token=TOKEN).status_code == 201
        assert other.publish(at, token=TOKEN).status_code == 201
        assert caller.session != other.session
        assert len(calls(service)) == 2
        for publisher in (caller, other):
            assert publisher.session is not None
            assert httpx.delete(publisher.session).status_code == 401
            end(publisher, TOKEN)
        refused = httpx.post(
            at, content="v=0\r\n", headers={"Content-Type": "application/sdp", "Authorization": f"Bearer {TOKEN}"}
        )
        assert refused.status_code in (400, 422)
        assert not calls(service)


def test_no_more_calls_than_may_be_and_those_that_are_not_used_or_lost_go(service: RunningService) -> None:
    lost, *unused = [begin(service) for _ in range(3)]
    full = httpx.post(f"{service.web_url}/api/v1/streams/desk/calls")
    assert (full.status_code, full.headers["content-type"]) == (503, "application/problem+json")
    assert full.headers["retry-after"]
    assert full.json()["detail"] == "3 calls are on already; try again later"
    with Publisher() as caller, Publisher() as refused:
        publish(service, caller, lost)
        wait_until(lambda: streams(service)[lost["name"]]["status"]["state"] == "live")
        caller.deaf_and_dumb = True
        answer = refused.publish(f"{service.web_url}/whip/desk")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        wait_until(lambda: not calls(service))
    service.wait_for_log(f"{lost['name']}: the call ends: no picture came for {LOST_S} s")
    for call in unused:
        service.wait_for_log(f"{call['name']}: the call ends: nobody published for {UNUSED_S} s")
    assert httpx.post(f"{service.web_url}/api/v1/streams/single/calls").status_code == 409
    assert httpx.post(f"{service.web_url}/api/v1/streams/none/calls").status_code == 404


def test_calls_end_with_their_stream_and_others_go_on(service: RunningService) -> None:
    with Publisher() as caller, Publisher() as other:
        ends, goes_on = begin(service), begin(service, "guarded", TOKEN)
        publish(service, caller, ends)
        publish(service, other, goes_on)
        wait_until(lambda: streams(service)[goes_on["name"]]["status"]["state"] == "live")
        config = yaml.safe_load(service.path.read_text())
        config["streams"][0]["stall_s"] = 4
        after = service.path.with_suffix(".new")
        after.write_text(yaml.safe_dump(config))
        after.replace(service.path)
        service.wait_for_log("the configuration is taken over: begun anew: desk")
        assert calls(service) == {goes_on["name"]}
        assert streams(service)[goes_on["name"]]["status"]["state"] == "live"
        assert begin(service)["call_of"] == "desk"
        end(other, goes_on["token"])


def test_a_snooze_of_the_stream_is_one_of_its_calls(service: RunningService, broker: Mosquitto, fake: Path) -> None:
    snooze = f"{service.web_url}/api/v1/streams/desk/snooze"
    assert httpx.post(snooze, json={"for_s": 600}).status_code == 200
    with Subscriber(broker.port, "gend/#") as subscriber, Publisher(film=Clip(fake)) as caller:
        call = begin(service)
        publish(service, caller, call)
        alert = subscriber.heard(f"gend/alerts/{call['name']}", type="raised")
        assert alert["snoozed_until"] is not None
        told = retained(broker)
        assert told[f"gend/streams/{call['name']}/alert"] == b"OFF"
        assert not [topic for topic in told if topic.startswith("homeassistant/") and call["name"] in topic]
        assert httpx.delete(snooze).status_code == 204
        wait_until(lambda: retained(broker)[f"gend/streams/{call['name']}/alert"] == b"ON")
        service.terminate()
    assert "Traceback" not in service.log_text()
    left = retained(broker)
    assert not [topic for topic in left if "call-" in topic]
    assert json.loads(left["gend/streams/desk/status"])["state"]
