"""A worker in a process of its own, on a recording that never ends: crashed, killed, frozen, hung."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from gend.faces import FaceDetector
from gend.preprocess import encoder_input
from monitor.backoff import Backoff
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest import SourceStatus
from monitor.isolation import IsolatedWorker
from monitor.isolation.life import WorkerLife
from monitor.messages import Crop, Demand, Look, Preview, Tracked, TrackObservation
from monitor.stream_config import StreamConfig
from monitor.worker import WorkerPlan
from tests.logs import told
from tests.monitor.ingest.clips import make_clip
from tests.monitor.isolation.detectors import Obedient, slow_to_load, unavailable
from tests.processes import gone
from tests.rtsp_server import RtspServer
from tests.waiting import wait_until

_WAIT_S = 30.0
_QUICK = FacesConfig(analysis_fps=10, reassociate_s=10, crops_per_s=2, min_face_px=16, min_sharpness=0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "two-seconds.mp4")


class _Watched:
    """An isolated worker, and what it said."""

    def __init__(
        self, url: str, folder: Path, *, new_face_detector: Callable[[], FaceDetector] | None = None, **settings: object
    ) -> None:
        self.orders = folder / "orders"
        self.messages: list[Tracked] = []
        self.take: Callable[[Tracked], None] = self.messages.append
        self.statuses: list[SourceStatus] = []
        stream = StreamConfig.model_validate({"name": "lobby", "url": url, "stall_s": 100, **settings})
        detector = new_face_detector or partial(Obedient, self.orders)
        numbers = itertools.count(1)
        self.worker = IsolatedWorker(
            WorkerPlan(stream, _QUICK, detector, partial(encoder_input, input_px=112)),
            new_prefix=lambda: f"run-{next(numbers)}",
            clock=LiveClock(),
            on_message=lambda message: self.take(message),  # noqa: PLW0108 - a test may change it
            on_status=self.statuses.append,
            backoff=Backoff(0.01, 0.01),
        )

    def pid(self) -> int:
        return wait_until(lambda: self.worker.pid)

    def crops(self) -> list[Crop]:
        return [message for message in self.messages if isinstance(message, Crop)]

    def previews(self) -> list[Preview]:
        return [message for message in self.messages if isinstance(message, Preview)]

    def ended(self) -> list[str]:
        return [message.track for message in self.messages if isinstance(message, TrackObservation) and message.ended]

    def observed(self) -> list[str]:
        return [message.track for message in self.messages if isinstance(message, TrackObservation)]

    def order(self, what: str) -> None:
        written = self.orders.with_suffix(".new")
        written.write_text(what)
        written.rename(self.orders)

    def wait_for_crops_of(self, prefix: str) -> Crop:
        return wait_until(lambda: next((crop for crop in self.crops() if crop.track.startswith(prefix)), None))

    def wait_for(self, state: str, reason: str = "") -> SourceStatus:
        """The next status, from the last one on, of that state and with that text in its reason."""
        last = max(0, len(self.statuses) - 1)
        return wait_until(
            lambda: next(
                (each for each in self.statuses[last:] if each.state == state and reason in (each.reason or "")), None
            )
        )


@contextlib.contextmanager
def _running(watched: _Watched) -> Iterator[_Watched]:
    watched.worker.start()
    try:
        yield watched
    finally:
        watched.worker.ask_to_stop()
        watched.worker.join(time.monotonic() + _WAIT_S)


@pytest.fixture
def watched(clip: Path, tmp_path: Path) -> Iterator[_Watched]:
    with _running(_Watched(f"file:{clip}", tmp_path, loop=True)) as running:
        yield running


def test_crops_observations_and_statistics_come_from_another_process(watched: _Watched) -> None:
    crop = watched.wait_for_crops_of("run-1-1")
    assert (crop.stream, crop.pixels.shape, str(crop.pixels.dtype)) == ("lobby", (112, 112, 3), "uint8")
    assert abs(crop.at_s - time.monotonic()) < _WAIT_S  # one clock in both processes
    wait_until(watched.observed)
    figures = wait_until(lambda: s if (s := watched.worker.statistics()).tracking.faces else None)
    assert figures.reader.state == "live"
    assert figures.cpu_s > 0
    assert (figures.memory_bytes > 10e6) == (sys.platform == "linux")
    assert [status.state for status in watched.statuses] == ["live"]
    pid = watched.pid()
    assert pid != os.getpid()
    watched.worker.ask_to_stop()
    assert watched.worker.join(time.monotonic() + _WAIT_S)
    assert watched.statuses[-1].state == "stopped"
    assert not psutil.pid_exists(pid)
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"supervise-lobby", "receive-lobby"})


def test_crops_for_which_there_is_no_room_arrive_as_well(watched: _Watched) -> None:
    watched.wait_for_crops_of("run-1-1")
    assert watched.worker._life is not None
    slots = watched.worker._life.slots
    if slots is None:
        pytest.skip("this system has no memory to share")
    watched.worker.demand(Demand("lobby", "run-1-1", crops_per_s=5, priority=1, expires_s=time.monotonic() + 100))
    slots._full[:] = 1
    begun = len(watched.crops())
    wait_until(lambda: len(watched.crops()) > begun + 2)
    slots._full[:] = 0
    begun = len(watched.crops())
    wait_until(lambda: len(watched.crops()) > begun + 18)
    assert all(crop.pixels.shape == (112, 112, 3) and crop.pixels.any() for crop in watched.crops())
    assert not slots._full[:16].all()


def test_a_message_that_cannot_be_taken_costs_the_process_and_says_why(clip: Path, tmp_path: Path) -> None:
    watched = _Watched(f"file:{clip}", tmp_path, loop=True)
    shortages = iter([OSError(errno.EMFILE, "Too many open files")])

    def take(message: Tracked) -> None:
        for shortage in shortages:
            raise shortage
        watched.messages.append(message)

    watched.take = take
    with _running(watched):
        watched.wait_for("connecting", "internal error: OSError: [Errno 24] Too many open files; another is started")
        watched.wait_for_crops_of("run-2")


def test_the_process_loads_no_torch(watched: _Watched) -> None:
    watched.order("tell modules")
    told = watched.orders.with_suffix(".modules")
    wait_until(told.exists)
    modules = wait_until(lambda: told.read_text().splitlines())
    assert "av" in modules
    assert {"torch", "sqlalchemy", "fastapi", "aiomqtt", "aiortc"}.isdisjoint(modules)


def test_a_demand_reaches_the_sampler(watched: _Watched) -> None:
    track = watched.wait_for_crops_of("run-1").track
    watched.worker.demand(Demand("lobby", track, crops_per_s=5, priority=1, expires_s=time.monotonic() + 100))
    began = len(watched.crops())
    wait_until(lambda: len(watched.crops()) >= began + 12)
    times = [crop.at_s for crop in watched.crops()[began + 2 :]]
    between = [after - before for before, after in itertools.pairwise(times)]
    assert statistics.median(between) < 0.4  # without a demand: one each half second


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("crash", "its process crashed (SIGSEGV); another is started"),
        ("kill", "its process was killed (SIGKILL); another is started"),
    ],
)
def test_a_process_that_ends_is_replaced_and_its_tracks_end(
    watched: _Watched, fault: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = watched.wait_for_crops_of("run-1").track
    wait_until(lambda: watched.worker.statistics().tracking.identities)
    pid, before = watched.pid(), watched.worker.statistics()
    if fault == "kill":
        os.kill(pid, signal.SIGKILL)
    else:
        watched.order(fault)
    watched.wait_for_crops_of("run-2")
    assert first in watched.ended()
    states = [(status.state, status.reason) for status in watched.statuses]
    assert states == [("live", None), ("connecting", reason), ("live", None)]
    assert told(caplog, level=logging.WARNING) == [f"lobby: connecting, {reason}"]
    after = wait_until(lambda: s if (s := watched.worker.statistics()).tracking.faces else None)
    assert after.restarts == 1
    assert after.reader.frames > before.reader.frames  # counts go on
    assert after.tracking.identities == 2


def test_a_frozen_process_is_killed_and_replaced(watched: _Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.wait_for_crops_of("run-1")
    monkeypatch.setattr(watched.worker._life, "_patience_s", 2.0)
    os.kill(watched.pid(), signal.SIGSTOP)
    # Nobody who asks something of it waits for it.
    for number in range(10_000):
        watched.worker.demand(Demand("lobby", f"run-1-{number}", 1, 0, 0))
    watched.wait_for("connecting", "has sent nothing for 2 s and was killed")
    watched.wait_for_crops_of("run-2")


def test_what_a_process_does_not_take_is_counted(watched: _Watched) -> None:
    watched.wait_for_crops_of("run-1-1")
    assert watched.worker.statistics().unsent == 0
    pid = watched.pid()
    os.kill(pid, signal.SIGSTOP)
    look = Look("lobby", time.monotonic())
    for _ in range(100_000):
        watched.worker.look(look)
        if watched.worker.statistics().unsent:
            break
    os.kill(pid, signal.SIGCONT)
    assert watched.worker.statistics().unsent == 1


def test_a_frozen_process_does_not_hold_up_the_end(watched: _Watched) -> None:
    watched.wait_for_crops_of("run-1")
    pid = watched.pid()
    os.kill(pid, signal.SIGSTOP)
    watched.worker.ask_to_stop()
    began = time.monotonic()
    assert not watched.worker.join(time.monotonic() + 0.5)
    assert time.monotonic() - began < 5
    wait_until(lambda: not psutil.pid_exists(pid))
    wait_until(lambda: watched.statuses[-1].state == "stopped")


def test_a_process_that_has_not_begun_does_not_hold_up_the_end(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun = tmp_path / "begun"
    with _running(_Watched(f"file:{clip}", tmp_path, new_face_detector=partial(slow_to_load, begun))) as watched:
        wait_until(begun.exists)
        pid = watched.pid()
        watched.worker.ask_to_stop()
        assert watched.worker.join(time.monotonic() + _WAIT_S)
    wait_until(lambda: not psutil.pid_exists(pid))
    wait_until(lambda: watched.statuses[-1].state == "stopped")
    assert not caplog.records


def test_the_end_does_not_wait_for_a_fork_server_at_its_imports(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, begin = threading.Event(), WorkerLife.of

    def slow(*arguments: Any) -> WorkerLife:
        ready.wait(_WAIT_S)
        return begin(*arguments)

    monkeypatch.setattr(WorkerLife, "of", slow)
    watched = _Watched(f"file:{clip}", tmp_path)
    watched.worker.start()
    watched.worker.ask_to_stop()
    assert watched.worker.join(time.monotonic() + 0.2)
    ready.set()
    wait_until(lambda: [status.state for status in watched.statuses] == ["stopped"])
    assert watched.worker.join(time.monotonic() + _WAIT_S)
    assert not caplog.records


def test_an_analysis_that_hangs_is_named_and_ended(watched: _Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.isolation.life._ANALYSIS_S", 12.0)
    watched.wait_for_crops_of("run-1")
    watched.order("hang")
    wait_until(lambda: "analysis hangs: a frame has taken" in (watched.worker.failure or ""))
    watched.wait_for("connecting", "the analysis of a frame hung")
    watched.wait_for_crops_of("run-2")
    wait_until(lambda: watched.worker.failure is None)


def test_an_analysis_that_raises_is_told_without_secrets(watched: _Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.wait_for_crops_of("run-1")
    watched.order("raise")
    wait_until(lambda: watched.worker.failure)
    assert watched.worker.failure == "analysis fails: RuntimeError: no faces for rtsp://***@camera"
    wait_until(lambda: "lobby: analysis fails" in caplog.text)
    assert "hunter22" not in caplog.text
    watched.orders.unlink()
    wait_until(lambda: watched.worker.failure is None)
    assert watched.worker.statistics().restarts == 0


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_a_worker_cannot_eat_the_machine_s_memory(watched: _Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.wait_for_crops_of("run-1")
    watched.order("eat")
    wait_until(lambda: "lobby: analysis fails: MemoryError" in caplog.text)
    crops = len(watched.crops())
    wait_until(lambda: len(watched.crops()) > crops)
    assert watched.worker.statistics().restarts == 0


def test_a_worker_that_cannot_begin_says_why_once_and_keeps_trying(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _running(_Watched(f"file:{clip}", tmp_path, new_face_detector=unavailable)) as watched:
        wait_until(lambda: watched.worker.statistics().restarts >= 3)
    reason = "FileNotFoundError: no such network; another is started"
    assert {status.reason for status in watched.statuses if status.state == "connecting"} == {reason}
    assert caplog.text.count("no such network") == 1


def test_views_are_made_for_as_long_as_somebody_looks(watched: _Watched) -> None:
    crop = watched.wait_for_crops_of("run-1-1")
    assert not watched.previews()
    watched.worker.look(Look("lobby", time.monotonic() + 600))
    preview = wait_until(lambda: next((preview for preview in watched.previews() if preview.faces), None))
    picture = cv2.imdecode(np.frombuffer(preview.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[1] / picture.shape[0] == pytest.approx(preview.width / preview.height, abs=0.02)
    assert preview.faces[0].track == crop.track
    watched.worker.look(Look("lobby", 0.0))
    crops = len(watched.crops())
    wait_until(lambda: len(watched.crops()) > crops + 2)  # the word has come through by now
    previews, crops = len(watched.previews()), len(watched.crops())
    wait_until(lambda: len(watched.crops()) > crops + 4)
    assert len(watched.previews()) == previews


def test_twenty_processes_later_nothing_is_left_behind(watched: _Watched) -> None:
    us, figures = psutil.Process(), []
    for number in range(1, 22):
        watched.wait_for_crops_of(f"run-{number}-")
        if number in {1, 21}:
            figures.append((us.num_fds(), us.num_threads(), len(us.children(recursive=True))))
        os.kill(watched.pid(), signal.SIGKILL if number % 2 else signal.SIGSEGV)
    assert watched.worker.statistics().restarts >= 20
    assert figures[0] == figures[1]


def test_a_fork_server_that_dies_over_a_start_is_replaced(watched: _Watched) -> None:
    watched.wait_for_crops_of("run-1-")
    fork_server = psutil.Process(watched.pid()).parent()
    assert fork_server is not None
    fork_server.suspend()
    os.kill(watched.pid(), signal.SIGKILL)  # which nobody reports, nor answers the wish for another
    time.sleep(0.5)
    fork_server.kill()
    watched.wait_for("live")
    watched.wait_for_crops_of(f"run-{watched.worker.statistics().restarts + 1}-")


def test_a_frozen_process_does_not_outlive_its_fork_server(watched: _Watched) -> None:
    # The first process may have found the fork server that another test has killed.
    first = watched.wait_for_crops_of("run-").track.rpartition("-")[0]
    worker = psutil.Process(watched.pid())
    fork_server = worker.parent()
    assert fork_server is not None
    worker.suspend()
    fork_server.kill()
    wait_until(lambda: any(not crop.track.startswith(f"{first}-") for crop in watched.crops()))
    assert gone(worker)
    assert "its process was lost with the fork server; another is started" in {s.reason for s in watched.statuses}


def test_a_recording_that_has_ended_is_not_played_again(clip: Path, tmp_path: Path) -> None:
    with _running(_Watched(f"file:{clip}", tmp_path)) as watched:
        watched.wait_for("stopped", "end of file")
        pid = watched.pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid))
        wait_until(lambda: not any(thread.name == "supervise-lobby" for thread in threading.enumerate()))
        assert watched.statuses[-1].state == "stopped"
        assert len(set(watched.observed())) == len(set(watched.ended())) == 1


def test_stopping_says_goodbye_to_the_camera(clip: Path, tmp_path: Path) -> None:
    with RtspServer({"main": clip}) as camera, _running(_Watched(camera.url("main"), tmp_path)) as watched:
        watched.wait_for("live")
        watched.worker.ask_to_stop()
        assert watched.worker.join(time.monotonic() + _WAIT_S)
        assert camera.wait_for("teardown") == "teardown"


def test_an_orphaned_process_says_goodbye_and_leaves(clip: Path, tmp_path: Path) -> None:
    """Whoever started it is killed: nothing is left that watches a camera for nobody."""
    with RtspServer({"main": clip}) as camera:
        service = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.orphaning_child", camera.url("main"), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert service.stdout is not None
        with service.stdout:
            pid = int(service.stdout.readline())
            worker = psutil.Process(pid)
            camera.wait_for("play")
            service.kill()
            service.wait()
            assert camera.wait_for("teardown") == "teardown"
            wait_until(lambda: not worker.is_running())
