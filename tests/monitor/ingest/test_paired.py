"""Two streams of a camera read as one: which pictures come of it, and what is decoded of the large one."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from monitor.clock import LiveClock
from monitor.ingest import Needs, SourceStatus
from monitor.ingest.paired import PairedFrame, misfit_of_sizes
from monitor.ingest.paired_reader import PairedReader
from monitor.messages import Frame
from monitor.stream_config import StreamConfig
from tests.logs import told
from tests.monitor.ingest.clips import make_clip
from tests.monitor.ingest.watching import BRISK
from tests.monitor.tracking.scenes import PictureFrame, textured
from tests.rtsp_server import RtspServer
from tests.waiting import wait_until

_PASSWORD = "hunter22-of-the-substream"


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute, a keyframe every 0.4 s."""
    return make_clip(tmp_path_factory.mktemp("clips") / "main.mp4", frames=750, size=(320, 240))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "small.mp4", frames=750, size=(160, 120), gop=25)


class _Watched:
    """A reader of two streams, and what came of it; five pictures a second are wanted."""

    def __init__(self, url: str, detect_url: str, *, loop: bool = True) -> None:
        fields = {"name": "lobby", "url": url, "detect_url": detect_url, "loop": loop, "stall_s": 2}
        config = StreamConfig.model_validate(fields)
        substream = config.substream()
        assert substream is not None
        self.frames: list[Frame] = []
        self.statuses: list[SourceStatus] = []
        self.crops_per_s = 0.0
        self.crop_due = True
        self._lock = threading.Lock()
        self.reader = PairedReader(
            config,
            substream,
            on_frame=self._take,
            on_status=self.statuses.append,
            clock=LiveClock(),
            wanted=self._wanted,
            needs=Needs(5, 2, lambda: 0.0, lambda: self.crops_per_s),
            crop_due=lambda: self.crop_due,
            patience=replace(BRISK, open_s=2),
        )

    def __enter__(self) -> Self:
        self.reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        assert self.reader.stop(20)

    def _wanted(self, at_s: float) -> bool:
        return not self.frames or at_s - self.frames[-1].at_s >= 0.15

    def _take(self, frame: Frame) -> None:
        with self._lock:
            self.frames.append(frame)

    @property
    def paired(self) -> bool:
        return bool(self.frames) and isinstance(self.frames[-1], PairedFrame)

    @property
    def degraded(self) -> str:
        return self.reader.statistics().degraded or ""

    @property
    def small_frames(self) -> int:
        substream = self.reader.statistics().substream
        assert substream is not None
        return substream.frames

    def comes_to(self, share: Callable[[int, int], bool]) -> None:
        """Waits until this holds for pictures of the main stream decoded and left out over two seconds."""
        wait_until(lambda: share(*self.decoded(frames=10)))

    def decoded(self, frames: int) -> tuple[int, int]:
        """Pictures of the main stream that were decoded and left out, while so many more were analysed."""
        before, already = self.reader.statistics(), len(self.frames)
        wait_until(lambda: len(self.frames) >= already + frames)
        now = self.reader.statistics()
        return now.frames - before.frames, now.skipped - before.skipped


def test_frames_are_small_as_the_one_and_large_as_the_other(main: Path, small: Path) -> None:
    with _Watched(f"file:{main}", f"file:{small}") as watched:
        wait_until(lambda: watched.paired and len(watched.frames) > 20)
        assert watched.reader.statistics().state == "live"
        assert watched.degraded == ""
        frames = [frame for frame in watched.frames if isinstance(frame, PairedFrame)]
        assert frames[-1].small(640).shape == (*frames[-1].luma(640).shape, 3) == (120, 160, 3)
        assert (frames[-1].width, frames[-1].height, frames[-1].stream) == (320, 240, "lobby")
        assert frames[-1].region((300, 200, 400, 300))[0].shape == (40, 20, 3)
        assert all(one.at_s < other.at_s for one, other in itertools.pairwise(watched.frames))
        assert any(frame.detail == "near" for frame in frames)
    assert [status.state for status in watched.statuses] == ["connecting", "live", "stopped"]
    assert watched.small_frames > 0


def test_the_main_stream_is_decoded_from_keyframe_to_keyframe_unless_more_crops_are_wanted(
    main: Path, small: Path
) -> None:
    with _Watched(f"file:{main}", f"file:{small}") as watched:
        watched.comes_to(lambda decoded, skipped: skipped > 5 * decoded > 0)
        watched.crop_due = False
        watched.comes_to(lambda decoded, skipped: decoded <= 1 and skipped > 20)
        watched.crop_due = True
        watched.crops_per_s = 5.0  # keyframes give two and a half
        watched.comes_to(lambda decoded, skipped: decoded > 30 and skipped == 0)
        watched.crops_per_s = 2.5
        watched.comes_to(lambda decoded, skipped: skipped > 5 * decoded > 0)


def test_a_recording_that_ends_ends_both(tmp_path: Path, small: Path) -> None:
    short = make_clip(tmp_path / "short.mp4", frames=30, size=(320, 240))
    with _Watched(f"file:{short}", f"file:{small}", loop=False) as watched:
        wait_until(lambda: watched.statuses[-1].state == "stopped")
        already = len(watched.frames)
        assert watched.statuses[-1].reason == "end of file"
    assert len(watched.frames) == already


def test_a_small_stream_of_another_shape_is_not_used(
    tmp_path: Path, main: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.ingest")
    wide = make_clip(tmp_path / "wide.mp4", frames=250, size=(160, 90))
    with _Watched(f"file:{main}", f"file:{wide}") as watched:
        wait_until(lambda: watched.degraded)
        already = len(watched.frames)
        wait_until(lambda: len(watched.frames) > already + 10)
        assert not any(isinstance(frame, PairedFrame) for frame in watched.frames)
    expected = (
        "detect_url: its pictures are 160 x 90 px, those of the main stream 320 x 240: it must show the same, and so "
        "be of the same shape; faces are searched on the main stream meanwhile"
    )
    assert [line for line in told(caplog) if "shape" in line] == [f"lobby: {expected}"]


def test_while_the_small_stream_is_away_the_main_one_is_searched(
    main: Path, small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.ingest")
    with (
        RtspServer({"main": main}) as one,
        RtspServer({"sub": small}, user="viewer", password=_PASSWORD) as other,
        _Watched(one.url("main"), other.url("sub")) as watched,
    ):
        wait_until(lambda: watched.paired)
        other.kill()
        wait_until(lambda: watched.degraded and not watched.paired)
        already = len(watched.frames)
        wait_until(lambda: len(watched.frames) > already + 10)
        assert not any(isinstance(frame, PairedFrame) for frame in watched.frames[already + 1 :])
        assert watched.degraded.startswith("detect_url: connecting, ")
        assert watched.degraded.endswith("; faces are searched on the main stream meanwhile")
        assert watched.reader.statistics().state == "live"
        other.start()
        wait_until(lambda: watched.paired and not watched.degraded)
        substream = watched.reader.statistics().substream
        assert substream is not None
        assert substream.reconnects >= 1
        other.freeze()
        wait_until(lambda: "stalled" in watched.degraded and not watched.paired)
        other.thaw()
    assert [status.state for status in watched.statuses] == ["connecting", "live", "stopped"]
    assert any(line.startswith("lobby: detect_url: connecting, ") for line in told(caplog))
    assert _PASSWORD not in caplog.text + watched.degraded


@pytest.mark.long
def test_while_the_main_stream_is_away_nothing_is_looked_at(main: Path, small: Path) -> None:
    with (
        RtspServer({"main": main}) as one,
        _Watched(one.url("main"), f"file:{small}") as watched,
    ):
        wait_until(lambda: watched.paired)
        one.kill()
        wait_until(lambda: watched.statuses[-1].state == "connecting")
        already, seen = len(watched.frames), watched.small_frames
        wait_until(lambda: watched.small_frames > seen + 15)
        assert len(watched.frames) <= already + 1  # that one was on its way
        assert watched.degraded == ""
        one.start()
        wait_until(lambda: watched.statuses[-1].state == "live" and len(watched.frames) > already + 5)


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ((640, 360), None),
        ((640, 352), None),
        ((1920, 1080), None),
        ((640, 480), "same shape"),
        ((704, 576), "same shape"),
        ((360, 640), "same shape"),
        ((3840, 2160), "must not be larger"),
    ],
)
def test_sizes_that_fit(size: tuple[int, int], why: str | None) -> None:
    found = misfit_of_sizes(size, (1920, 1080))
    assert found is None if why is None else why in (found or "")


def test_pictures_of_different_times_are_no_pair() -> None:
    seen, large = textured(160, 90), textured(640, 360)

    def pair(apart_s: float, *, trusted: bool = True) -> PairedFrame:
        return PairedFrame(PictureFrame(seen, at_s=7.0), PictureFrame(large, at_s=7.0 + apart_s, trusted=trusted))

    assert [pair(apart_s).detail for apart_s in (-0.5, -0.2, 0.0, 0.2, 0.5)] == ["none", "near", "near", "near", "none"]
    assert pair(0.1).at_s == 7.0
    # A damaged picture is never cut from; one that is not cut from anyway says nothing.
    assert [pair(0.1, trusted=False).trusted, pair(0.5, trusted=False).trusted] == [False, True]
    assert isinstance(pair(0.0), Frame)
