"""A stream's worker on a recording that never ends, with a detector and a tracking that fail when told to."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from gend.faces import Face
from monitor.clock import Clock, LiveClock
from monitor.config import FacesConfig
from monitor.messages import Crop, Pixels, Preview, Tracked, TrackObservation
from monitor.stream_config import StreamConfig
from monitor.tracking import Tracking
from monitor.worker import StreamWorker
from tests.logs import told
from tests.monitor.ingest.clips import make_clip
from tests.monitor.tracking.scenes import face_at
from tests.waiting import wait_until

_WAIT_S = 20.0
_QUICK = FacesConfig(analysis_fps=10, reassociate_s=1, crops_per_s=5, min_face_px=16, min_sharpness=0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "two-seconds.mp4")


class _Detector:
    """Sees one face that never moves; `fault` is called before, and may raise or block."""

    name = "still"
    degraded: str | None = None

    def __init__(self) -> None:
        self.calls = 0
        self.sees = True
        self.fault: Callable[[], object] = lambda: None

    def detect(self, picture: Pixels) -> list[Face]:
        self.calls += 1
        self.fault()
        return [face_at(picture.shape[1] / 2, picture.shape[0] / 2, 80)] if self.sees else []

    def fail(self) -> None:
        raise RuntimeError(f"call {self.calls} for rtsp://user:hunter22@camera\nand more")


class _Tracking(Tracking):
    """`fault` is called before every `flush`."""

    fault: Callable[[], object] = staticmethod(lambda: None)

    def flush(self, at_s: float) -> list[TrackObservation]:
        self.fault()
        return super().flush(at_s)


class _FastClock:
    """Ten seconds pass in one."""

    def now_s(self) -> float:
        return 10 * time.monotonic()

    def wall(self, at_s: float) -> datetime:
        return LiveClock().wall(at_s / 10)


class _Watched:
    """A worker, and what it said."""

    def __init__(self, clip: Path, faces: FacesConfig = _QUICK, clock: Clock | None = None) -> None:
        self.detector = _Detector()
        self.prepare: Callable[[Pixels], Pixels] = lambda aligned: aligned
        self.on_message: Callable[[Tracked], object] = lambda _: None
        ids = (f"run-{number}" for number in itertools.count(1))
        self.tracking = _Tracking("lobby", faces, [], self.detector, prepare=self._prepare, track_ids=ids)
        self.messages: list[Tracked] = []
        stream = StreamConfig.model_validate({"name": "lobby", "url": f"file:{clip}", "loop": True, "stall_s": 100})
        self.worker = StreamWorker(
            stream, self.tracking, clock or LiveClock(), on_message=self._take, on_status=lambda _: None
        )

    def _prepare(self, aligned: Pixels) -> Pixels:
        return self.prepare(aligned)

    def _take(self, message: Tracked) -> None:
        self.messages.append(message)
        self.on_message(message)

    def cropped(self) -> bool:
        return any(isinstance(message, Crop) for message in self.messages)

    def ended(self) -> list[str]:
        return [told.track for told in self.messages if isinstance(told, TrackObservation) and told.ended]


@contextmanager
def _running(watched: _Watched) -> Iterator[_Watched]:
    watched.worker.start()
    try:
        yield watched
    finally:
        watched.detector.fault = lambda: None
        watched.worker.ask_to_stop()
        assert watched.worker.join(time.monotonic() + _WAIT_S)


def test_a_detector_that_keeps_raising_ends_the_tracks(clip: Path) -> None:
    with _running(_Watched(clip)) as watched:
        wait_until(watched.cropped)
        watched.detector.fault = watched.detector.fail
        wait_until(watched.ended)
        assert watched.ended() == ["run-1"]
        assert watched.worker.statistics().reader.state == "live"
        watched.detector.fault = lambda: None
        watched.messages.clear()
        wait_until(watched.cropped)
        assert {message.track for message in watched.messages if not isinstance(message, Preview)} == {"run-2"}


def test_the_detector_is_warm_before_the_first_picture_comes(tmp_path: Path) -> None:
    with _running(_Watched(tmp_path / "not there yet.mp4")) as watched:
        wait_until(lambda: watched.detector.calls)
        assert watched.worker.statistics().reader.frames == 0
        assert watched.worker.failure is None


def test_a_detector_that_fails_while_it_warms_up_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = _Watched(tmp_path / "not there yet.mp4")
    watched.detector.fault = watched.detector.fail
    with _running(watched):
        wait_until(lambda: told(caplog, "monitor.pipeline"))
    assert told(caplog, "monitor.pipeline") == ["lobby: analysis fails: RuntimeError: call 1 for rtsp://***@camera"]


def test_where_nobody_is_and_nothing_moves_little_is_decoded_until_somebody_comes(tmp_path: Path) -> None:
    room = make_clip(tmp_path / "room.mp4", frames=400, still=True)
    watched = _Watched(room, _QUICK.model_copy(update={"idle_blind_max_s": 1.0}))
    watched.detector.sees = False
    with _running(watched):
        wait_until(lambda: watched.worker.statistics().reader.skipped > 50)
        wait_until(lambda: watched.worker.statistics().reader.fps == pytest.approx(25, abs=5))
        idle = watched.worker.statistics()
        assert idle.reader.state == "live"
        assert idle.tracking.quiet_s >= 2
        watched.detector.sees = True
        wait_until(watched.cropped)
        assert watched.worker.statistics().tracking.quiet_s == 0


def test_failure_keeps_its_first_text_in_one_safe_line(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "monitor.pipeline")
    watched = _Watched(clip)
    watched.detector.fault = watched.detector.fail
    with _running(watched):
        wait_until(lambda: watched.worker.failure)
        first = watched.worker.failure
        wait_until(lambda: watched.worker.statistics().failures >= 5)
        assert watched.worker.failure == first == "analysis fails: RuntimeError: call 1 for rtsp://***@camera"
        watched.detector.fault = lambda: None
        wait_until(lambda: watched.worker.failure is None)
        wait_until(watched.cropped)
    assert told(caplog, "monitor.pipeline") == [f"lobby: {first}", "lobby: analysis works again"]


def test_failure_tells_that_no_crop_can_be_cut(clip: Path) -> None:
    def fail(_: Pixels) -> Pixels:
        raise ValueError("no such size")

    watched = _Watched(clip)
    watched.prepare = fail
    with _running(watched):
        wait_until(lambda: watched.worker.failure)
        assert watched.worker.failure == "cropping fails: ValueError: no such size"
        watched.prepare = lambda aligned: aligned
        wait_until(lambda: watched.worker.failure is None)
        assert watched.worker.statistics().failures == 0


def test_a_flush_that_raises_is_tried_again(clip: Path) -> None:
    faults = iter([RuntimeError("not now")])

    def fail_once() -> None:
        for fault in faults:
            raise fault

    with _running(_Watched(clip)) as watched:
        wait_until(watched.cropped)
        watched.tracking.fault = fail_once
        watched.detector.fault = watched.detector.fail
        wait_until(watched.ended)
        assert watched.ended() == ["run-1"]


def test_a_taker_that_raises_ends_nothing(clip: Path) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("no room")

    with _running(_Watched(clip)) as watched:
        watched.on_message = refuse
        wait_until(lambda: watched.worker.failure == "analysis fails: RuntimeError: no room")
        watched.on_message = lambda _: None
        watched.messages.clear()
        wait_until(watched.cropped)


def test_analyses_that_are_seconds_apart_keep_the_face(clip: Path) -> None:
    faces = _QUICK.model_copy(update={"analysis_fps": 0.25, "reassociate_s": 20.0})
    with _running(_Watched(clip, faces, _FastClock())) as watched:
        wait_until(lambda: sum(isinstance(message, Crop) for message in watched.messages) >= 3)
        assert {message.track for message in watched.messages if not isinstance(message, Preview)} == {"run-1"}
        assert not watched.ended()


def test_ask_to_stop_waits_for_nothing_and_join_for_no_longer_than_it_may(clip: Path) -> None:
    release = threading.Event()
    watched = _Watched(clip)
    watched.detector.fault = release.wait
    watched.worker.start()
    try:
        wait_until(lambda: watched.detector.calls)
        watched.worker.ask_to_stop()
        assert not release.is_set()  # the analysis is still blocked, and yet we are here
        assert not watched.worker.join(time.monotonic())
    finally:
        release.set()
    assert watched.worker.join(time.monotonic() + _WAIT_S)
    assert watched.worker.statistics().reader.state == "stopped"


def test_ask_to_stop_ends_both_threads_without_a_join(clip: Path) -> None:
    watched = _Watched(clip)
    before = set(threading.enumerate())
    watched.worker.start()
    started = set(threading.enumerate()) - before
    assert len(started) >= 2
    watched.worker.ask_to_stop()
    wait_until(lambda: not any(thread.is_alive() for thread in started))
    assert watched.worker.join(time.monotonic())


def test_join_a_worker_that_never_started(clip: Path) -> None:
    watched = _Watched(clip)
    watched.worker.ask_to_stop()
    assert watched.worker.join(time.monotonic())
