"""Processes that the service is made of: crashed, killed by the kernel, interrupted, orphaned."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.broker import Mosquitto
from tests.faults.table import FaultTable
from tests.monitor.ingest.clips import make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.processes import descendants
from tests.rtsp_server import RtspServer
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "two-seconds.mp4")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def service(clip: Path, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Two streams that never end, watched through all that is done to the processes of this one service."""
    tmp_path = tmp_path_factory.mktemp("service")
    streams = [{"name": name, "url": f"file:{clip}", "loop": True} for name in ("lobby", "yard")]
    with RunningService(tmp_path, {"streams": streams, "mqtt": {"url": broker.url}}) as running:
        yield running


def _worker(service: RunningService, stream: str) -> psutil.Process | None:
    """The process that bears the stream's name, as an operator would find it."""
    assert service.process is not None
    return next(iter(descendants(service.process.pid, f"gend-{stream}")), None)


def _metric(service: RunningService, name: str) -> float:
    text = urllib.request.urlopen(f"{service.web_url}/metrics").read().decode()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize(
    ("number", "seen"), [(signal.SIGSEGV, "crashed (SIGSEGV)"), (signal.SIGKILL, "was killed (SIGKILL)")]
)
def test_a_crash_costs_one_stream_a_moment_and_the_others_nothing(
    service: RunningService, broker: Mosquitto, faults: FaultTable, number: signal.Signals, seen: str
) -> None:
    with Subscriber(broker.port, "gend/streams/#") as subscriber:
        for stream in ("lobby", "yard"):
            subscriber.heard(f"gend/streams/{stream}/status", state="live")
        restarts = _metric(service, 'gend_worker_restarts_total{stream="lobby"}')
        yard = wait_until(lambda: _worker(service, "yard"))
        frames = _metric(service, 'gend_frames_total{stream="yard"}')
        subscriber.passed.clear()
        os.kill(wait_until(lambda: _worker(service, "lobby")).pid, number)
        with faults.recovery(f"a worker's process ended by {number.name}", f"its process {seen}; another is started"):
            told = subscriber.wait_for("gend/streams/lobby/status", state="connecting")
            subscriber.wait_for("gend/streams/lobby/status", state="live")
        assert told["reason"] == f"its process {seen}; another is started"
        assert _metric(service, 'gend_worker_restarts_total{stream="lobby"}') == restarts + 1
        # The other stream has not even blinked.
        assert wait_until(lambda: _worker(service, "yard")).pid == yard.pid
        wait_until(lambda: _metric(service, 'gend_frames_total{stream="yard"}') > frames)
        assert not [topic for topic, payload in subscriber.passed if "yard" in topic and b'"connecting"' in payload]
        assert _metric(service, 'gend_worker_restarts_total{stream="yard"}') == 0
    assert service.log_text().count(seen) == 1


def test_a_dead_fork_server_is_replaced(service: RunningService, faults: FaultTable) -> None:
    workers = {wait_until(lambda name=name: _worker(service, name)) for name in ("lobby", "yard")}  # type: ignore[misc]
    (fork_server,) = {parent.pid for worker in workers if (parent := worker.parent()) is not None}
    with faults.recovery("the fork server of the workers killed", "its process ended; another is started"):
        os.kill(fork_server, signal.SIGKILL)
        # Nobody watches over the old ones any more: they go, and new ones come.
        wait_until(lambda: not any(worker.is_running() for worker in workers))
        for name in ("lobby", "yard"):
            assert wait_until(lambda name=name: _worker(service, name)) not in workers  # type: ignore[misc]
            wait_until(lambda name=name: _metric(service, f'gend_stream_fps{{stream="{name}"}}') > 0)  # type: ignore[misc]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_its_processes_is_an_orderly_end(
    clip: Path, broker: Mosquitto, tmp_path: Path, number: signal.Signals
) -> None:
    """As Ctrl-C in a terminal (SIGINT) and a service manager (SIGTERM) send it."""
    with RtspServer({"main": clip}) as camera:
        config = {
            "streams": [{"name": "lobby", "url": camera.url("main")}],
            # The other tests' service is on this broker, too.
            "mqtt": {"url": broker.url, "prefix": "leaving", "client_id": "leaving"},
        }
        with RunningService(tmp_path, config) as service:
            assert service.process is not None
            worker = wait_until(lambda: _worker(service, "lobby"))
            camera.wait_for("play")
            others = psutil.Process(service.process.pid).children(recursive=True)
            for other in others:
                other.send_signal(number)
            time.sleep(0.5)  # the service hears of it last
            told = len(service.log)
            assert service.terminate()[0] == 0
            assert camera.wait_for("teardown") == "teardown"
            wait_until(lambda: not worker.is_running())
            late = "does not end in time"  # a machine that stands still is no fault
            assert not [line for line in service.log[told:] if " INFO " not in line and late not in line]
            assert "fork server" not in service.log_text()


def test_nothing_is_left_of_a_service_that_was_killed(service: RunningService, faults: FaultTable) -> None:
    assert service.process is not None
    workers = [wait_until(lambda name=name: _worker(service, name)) for name in ("lobby", "yard")]  # type: ignore[misc]
    others = psutil.Process(service.process.pid).children(recursive=True)
    with faults.recovery("the service killed (SIGKILL)", "its workers take leave of the cameras and go"):
        service.kill()
        wait_until(lambda: not any(process.is_running() for process in {*workers, *others}))
