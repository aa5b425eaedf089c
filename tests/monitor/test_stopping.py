"""A stop is orderly and ends within five seconds, whatever hangs; a start leaves nothing standing that nobody holds."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from monitor.demo.clip import make_clip
from tests.broker import Mosquitto
from tests.monitor.service import RunningService, Subscriber

# Seconds from signal to exit that are promised, and some for a busy machine's process to end in.
PROMISED_S = 5.0 + 0.7


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def grey_clip(path: Path) -> Path:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_many_hanging_cameras_and_a_hanging_broker_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with silent_server() as camera, silent_server() as broker:
        streams = [{"name": f"camera-{number}", "url": f"rtsp://127.0.0.1:{camera}/{number}"} for number in range(14)]
        config = {"streams": streams, "mqtt": {"url": f"mqtt://127.0.0.1:{broker}"}}
        with RunningService(tmp_path, config) as service:
            time.sleep(1)
            code, took_s = service.terminate()
    assert code == 0
    assert took_s < PROMISED_S


def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(60)
        config = tmp_path / "monitor.yaml"
        tree = {
            "streams": [{"name": "tape", "url": "file:/nowhere.mp4"}],
            "encoder": {"weights": "demo"},
            "mqtt": {"url": "embedded:"},
            "store": {"url": f"postgresql+asyncpg://user@127.0.0.1:{database.getsockname()[1]}/alerts"},
            "web": {"port": 0},
        }
        config.write_text(yaml.safe_dump(tree))
        process = subprocess.Popen([sys.executable, "-m", "monitor", "run", str(config)], stderr=subprocess.PIPE)
        try:
            connection, _ = database.accept()  # the parts are loaded, and the database will not answer
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert process.wait(timeout=20) == 0
            assert time.monotonic() - began < PROMISED_S
        finally:
            process.kill()
            process.communicate()
            connection.close()


def test_an_alert_of_a_stream_that_left_the_configuration_is_taken_back(tmp_path: Path) -> None:
    clip, grey = tmp_path / "call.mp4", grey_clip(tmp_path / "grey.mp4")
    make_clip(clip, seconds=20, manipulated_from_s=0, names=["astronaut"])
    with Mosquitto(tmp_path) as broker:
        config = {"streams": [{"name": "old", "url": f"file:{clip}"}], "mqtt": {"url": broker.url}}
        with Subscriber(broker.port, "gend/#") as subscriber, RunningService(tmp_path, config) as service:
            subscriber.wait_for("gend/alerts/old", type="raised")
            service.kill()
        other = config | {"streams": [{"name": "new", "url": f"file:{grey}", "loop": True}]}
        with RunningService(tmp_path, other), Subscriber(broker.port, "gend/streams/#") as late:
            late.wait_for("gend/streams/old/status", state="stopped")
            while ("gend/streams/old/alert", b"OFF") not in late.passed:
                late.passed.append(late.messages.get(timeout=10))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_end_an_idle_service_with_0(number: signal.Signals, tmp_path: Path) -> None:
    streams = [{"name": "tape", "url": f"file:{grey_clip(tmp_path / 'grey.mp4')}", "loop": True}]
    with RunningService(tmp_path, {"streams": streams, "mqtt": {"url": "embedded:"}}) as service:
        assert service.process is not None
        service.process.send_signal(number)
        assert service.process.wait(timeout=20) == 0


def test_alerts_that_cannot_be_recorded_any_more_are_told_by_the_exit_code(tmp_path: Path) -> None:
    clip = tmp_path / "call.mp4"
    make_clip(clip, seconds=12, manipulated_from_s=0, names=("astronaut",))
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port, "gend/alerts/#") as subscriber:
        config = {
            "streams": [{"name": "lobby", "url": f"file:{clip}", "loop": True}],
            "mqtt": {"url": broker.url},
            "decision": {"threshold": 3, "min_blocks": 2},
        }
        with RunningService(tmp_path, config) as service:
            subscriber.wait_for("gend/alerts/lobby", type="raised")
            other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            code, took_s = service.terminate()
            other.close()
    assert code == 1
    assert took_s < PROMISED_S
    assert "1 alert could not be recorded before the end" in service.log_text()
