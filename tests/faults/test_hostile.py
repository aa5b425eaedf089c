"""Hostile pictures: what a damaged or malicious stream may do to the process that decodes it, and what it may not.

`GEND_SOAK=1` watches 1,000 streams instead of 50. `stream(SEED, index)` makes any of them again by its name.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest

from gend.faces import Face
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest.source import Source
from monitor.ingest.tally import Tally
from monitor.messages import Pixels
from monitor.tracking.quality import Gate
from tests.faults.hostile import nal
from tests.faults.hostile.clips import SHAPES, Clip, encode, muxed
from tests.faults.hostile.mutate import Hostile, stream, streams
from tests.faults.hostile.runner import Runner
from tests.faults.hostile.udp import Sender
from tests.faults.hostile.watch import WitnessedTracking
from tests.faults.table import FaultTable
from tests.monitor.ingest.clips import drawing
from tests.monitor.tracking.scenes import PictureFrame, face_at, textured

SEED = 3
_GROWN_MB = 80.0
"""More than glibc and a network or two hold for later, less than the pictures of one round."""
_NO_HOARDING = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Has glibc give back what is freed, so that what grows is what is held."""
_GIANT_PX = 16128
"""Each side; FFmpeg alone would decode it, into pictures of 390 MB."""
_BOUNDED_MB = 700.0
"""A child that watches ordinary streams takes half of it; one of those pictures and its copies do not fit."""


def test_hostile_streams_crash_nothing_hang_nothing_and_leave_nothing(
    tmp_path: Path, faults: FaultTable, *, soak: bool
) -> None:
    hostile = list(streams(SEED, 1000 if soak else 50))
    findings = Runner(tmp_path, at_once=6, environment=_NO_HOARDING).run(hostile, rounds=2)
    assert not findings.crashes
    assert not findings.hangs
    assert [outcome for outcome in findings.outcomes if outcome.end == "stuck"] == []
    assert [outcome for outcome in findings.outcomes if outcome.end == "refused" and not outcome.reason] == []
    assert [outcome for outcome in findings.outcomes if outcome.broken_rules] == []
    assert [outcome for outcome in findings.outcomes if outcome.failure] == []
    internal = [outcome for outcome in findings.outcomes if "internal error" in (outcome.reason or "")]
    assert internal == []
    assert sum(outcome.distrusted for outcome in findings.outcomes) > 100
    assert sum(outcome.crops for outcome in findings.outcomes) > 10
    grown_mb = findings.grown_mb(len(hostile))
    assert grown_mb < _GROWN_MB, findings.summary()
    faults.add(f"{len(hostile)} hostile streams, twice", f"{findings.summary()}; second time {grown_mb:+.0f} MB")


def test_hostile_transport_streams_over_udp(tmp_path: Path, faults: FaultTable, *, soak: bool) -> None:
    chosen = [each for each in streams(SEED + 1, 200 if soak else 20) if each.suffix == "ts" and each.payload]
    with ExitStack() as senders:
        sent = [replace(each, url=senders.enter_context(Sender(each.payload)).url) for each in chosen]
        findings = Runner(tmp_path, at_once=6, live_s=5.0, stall_s=1.0).run(sent)
    assert len(findings.outcomes) == len(chosen) >= 5
    assert not findings.crashes
    assert not findings.hangs
    assert [outcome for outcome in findings.outcomes if outcome.end == "stuck" or outcome.broken_rules] == []
    assert sum(outcome.frames for outcome in findings.outcomes) > 100
    faults.add(f"{len(chosen)} hostile transport streams over UDP", findings.summary())


@pytest.mark.parametrize("name", ["h264-baseline", "h265-main"])
def test_pictures_that_claim_to_be_giants_are_refused_before_there_is_room_for_them(
    name: str, tmp_path: Path, faults: FaultTable
) -> None:
    clip = _clip(name)
    giant = b"".join(_claiming(clip, picture) for picture in clip.pictures)
    becomes_giant = b"".join(clip.pictures[:16]) + giant
    findings = Runner(tmp_path, at_once=1, live_s=30).run(
        [Hostile("giant", "", giant, "bin"), Hostile("becomes-giant", "", becomes_giant, "bin")]
    )
    refused, sound_first = findings.outcomes
    assert refused.end == "refused"
    assert refused.reason == f"cannot open: pictures of {_GIANT_PX} x {_GIANT_PX} px are too large"
    assert sound_first.end == "ended"
    assert 8 <= sound_first.frames <= 16
    assert findings.peak_mb < _BOUNDED_MB
    faults.add(f"{name}: pictures of {_GIANT_PX} x {_GIANT_PX}", refused.reason)


def test_streams_are_the_same_each_time() -> None:
    assert [stream(SEED, index) for index in range(20)] == list(streams(SEED, 20))
    for shape in SHAPES[::4]:
        assert encode(shape) == encode(shape)


def test_the_witness_sees_a_crop_of_a_frame_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "refuse", lambda *_: None)
    tracking = WitnessedTracking(
        "lobby", FacesConfig(min_sharpness=0), [], _Still(), prepare=lambda aligned: aligned, track_ids=iter(["1"])
    )
    for index in range(3):
        tracking.process(PictureFrame(textured(), at_s=index / 5, index=index, trusted=False))
    assert tracking.broken_rules


def test_half_of_a_jpeg_is_no_picture(tmp_path: Path) -> None:
    clip = _clip("mjpeg-420")
    cut = [picture[: len(picture) // 2] if index % 2 else picture for index, picture in enumerate(clip.pictures)]
    path = tmp_path / "cut.mkv"
    path.write_bytes(
        muxed(clip, [(picture, *times) for picture, times in zip(cut, clip.times, strict=True)], "matroska")
    )
    tally = Tally()
    with Source.open(f"file:{path}", clock=LiveClock(), tally=tally) as source:
        pictures = [picture for pictures in source.read() for picture in pictures]
    assert len(pictures) == len(clip.pictures) // 2 == tally.decode_errors
    assert all(picture.trusted for picture in pictures)


def test_detectors_made_at_once_do_not_wait_for_each_other_for_ever(*, soak: bool) -> None:
    code = """
import threading, time
import gend.faces, openvino
at_once = threading.Event()
def ask():
    while not at_once.is_set(): pass
    openvino.Type.u8.to_dtype()
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
at_once.set()
for thread in threads: thread.join()
"""
    for _ in range(50 if soak else 1):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_sound_before_the_pictures_does_not_cost_the_last_of_them(container: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{container}"
    with av.open(str(path), "w", format=container) as target:
        sound: Any = target.add_stream("aac", rate=8000, layout="mono")
        video: Any = target.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.codec_context.options = {"bf": "3"}
        for index in range(25):
            target.mux(video.encode(av.VideoFrame.from_ndarray(drawing(index, 320, 240), format="rgb24")))
        target.mux(video.encode(None))
        for index in range(8):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 8000, 1024 * index
            target.mux(sound.encode(silence))
        target.mux(sound.encode(None))
    assert _pictures(path) == 25


def _pictures(path: Path) -> int:
    with Source.open(f"file:{path}", clock=LiveClock(), tally=Tally()) as source:
        return sum(len(pictures) for pictures in source.read())


def _clip(name: str) -> Clip:
    return encode(next(shape for shape in SHAPES if shape.name == name))


def _claiming(clip: Clip, picture: bytes) -> bytes:
    """The same, but for the size it promises."""
    codec = cast("nal.Codec", clip.codec)
    units = nal.split(picture)
    return nal.join(
        [
            nal.repromised(codec, unit, lambda promises: promises.sized(codec, _GIANT_PX, _GIANT_PX))
            if nal.is_sps(codec, unit)
            else unit
            for unit in units
        ]
    )


class _Still:
    name = "still"
    degraded: str | None = None

    def detect(self, picture: Pixels) -> list[Face]:
        return [face_at(picture.shape[1] / 2, picture.shape[0] / 2, 200)]
