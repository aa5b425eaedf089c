"""The main job: a camera in, an alert out, each with the real thing at both ends."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.demo.clip import make_clip
from tests.broker import Mosquitto
from tests.monitor.service import RunningService, Subscriber
from tests.rtsp_server import RtspServer


@pytest.fixture(scope="module")
def fake_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call in which the person on the left is manipulated from the start, and another is not."""
    path = tmp_path_factory.mktemp("clips") / "fake-call.mp4"
    make_clip(path, seconds=20, manipulated_from_s=0, names=["astronaut", "t1-1"])
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def camera(fake_call: Path) -> Iterator[RtspServer]:
    with RtspServer({"main": fake_call}, user="viewer", password="s3cr/t@x") as running:
        yield running


def test_an_rtsp_camera_raises_an_alert_that_a_subscriber_receives(
    camera: RtspServer, broker: Mosquitto, tmp_path: Path
) -> None:
    config = {"streams": [{"name": "lobby", "url": camera.url("main")}], "mqtt": {"url": broker.url}}
    with Subscriber(broker.port, "gend/#") as subscriber, RunningService(tmp_path, config) as service:
        alert = subscriber.wait_for("gend/alerts/lobby", type="raised")
        metrics = urllib.request.urlopen(f"{service.web_url}/metrics").read().decode()
        ready = urllib.request.urlopen(f"{service.web_url}/readyz").status
        code, took_s = service.terminate()
        cleared = subscriber.wait_for("gend/alerts/lobby", type="cleared")
        everything = service.log_text() + metrics + str(list(subscriber.messages.queue)) + str(subscriber.passed)
    assert alert["verdict"] == "fake"
    assert alert["sequence"] == 1
    assert alert["calibrated"] is False
    assert alert["notices"] == ["demo encoder: not for real use"]
    assert (cleared["alert_id"], cleared["sequence"], cleared["reason"]) == (alert["alert_id"], 2, "stopped")
    assert ready == 200
    assert "gend_alerts_raised_total 1.0" in metrics
    assert (code, took_s < 5.5) == (0, True)
    for secret in ("s3cr/t@x", "s3cr%2Ft%40x"):
        assert secret not in everything


def test_two_faces_over_rtsp_are_two_tracks_for_the_whole_clip(
    assets: Path, broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = assets / "media" / "head-pose-face-detection-female-and-male.mp4"
    monkeypatch.setenv("GEND_MODELS", str(assets / "models"))
    with RtspServer({"both": clip}) as camera, Subscriber(broker.port, "gend/#") as subscriber:
        config = {"streams": [{"name": "both", "url": camera.url("both")}], "mqtt": {"url": broker.url}}
        with RunningService(tmp_path, config) as service:
            subscriber.wait_for("gend/streams/both/status", state="live")
            subscriber.wait_for("gend/streams/both/status", state="connecting")  # the clip is over
            service.terminate()
        heard = list(subscriber.messages.queue) + subscriber.passed
    tracks = {topic for topic, _ in heard if topic.startswith("gend/streams/both/tracks/")}
    assert tracks == {"gend/streams/both/tracks/1-1-1", "gend/streams/both/tracks/1-1-2"}
    assert not [topic for topic, _ in heard if topic.startswith("gend/alerts/")]


def test_a_hanging_stream_leaves_the_other_alone(
    camera: RtspServer, broker: Mosquitto, fake_call: Path, tmp_path: Path
) -> None:
    streams = [
        {"name": "hanging", "url": camera.url("main"), "stall_s": 2},
        {"name": "well", "url": f"file:{fake_call}", "loop": True},
    ]
    config = {"streams": streams, "mqtt": {"url": broker.url}}
    with Subscriber(broker.port, "gend/#") as subscriber, RunningService(tmp_path, config) as service:
        subscriber.wait_for("gend/streams/hanging/status", state="live")
        camera.freeze()
        subscriber.wait_for("gend/streams/hanging/status", state="stalled", timeout_s=40)
        assert subscriber.heard("gend/alerts/well", type="raised")
        code, took_s = service.terminate()
    assert (code, took_s < 5.5) == (0, True)


def test_an_alert_decided_without_a_broker_is_delivered_when_it_returns(
    broker: Mosquitto, fake_call: Path, tmp_path: Path
) -> None:
    config = {"streams": [{"name": "tape", "url": f"file:{fake_call}", "loop": True}], "mqtt": {"url": broker.url}}
    broker.stop()
    with RunningService(tmp_path, config) as service:
        wait_for_log(service, "alert raised")
        broker.start()
        with Subscriber(broker.port, "gend/alerts/#") as subscriber:
            alert = subscriber.wait_for("gend/alerts/tape", type="raised")
            service.kill()
            # What stood when the process died is told when it comes back.
            service.start()
            cleared = subscriber.wait_for("gend/alerts/tape", type="cleared")
    assert (cleared["alert_id"], cleared["reason"]) == (alert["alert_id"], "restarted")
    assert cleared["sequence"] == alert["sequence"] + 1


def wait_for_log(service: RunningService, text: str, timeout_s: float = 60) -> None:
    import time

    deadline = time.monotonic() + timeout_s
    while text not in service.log_text():
        assert time.monotonic() < deadline, service.log_text()
        time.sleep(0.1)


def test_an_embedded_broker_serves_the_same_alert(fake_call: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a b.mp4"  # a name with a space, as people have
    shutil.copy(fake_call, copy)
    config = {"streams": [{"name": "tape", "url": f"file:{copy}"}], "mqtt": {"url": "embedded:"}}
    with RunningService(tmp_path, config) as service, Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
        assert subscriber.wait_for("gend/alerts/tape", type="raised")["stream"] == "tape"
