"""Faces are found on a camera's small stream, and cut out of its main one: real people, real streams, a real worker."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gend.faces import Face
from gend.faces.yunet import YuNet
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest import read_file
from monitor.ingest.paired import PairedFrame
from monitor.isolation.totals import nothing_yet, total
from monitor.messages import Crop, Tracked
from monitor.stream_config import StreamConfig
from monitor.tracking import Tracking
from monitor.tracking.finder import Finder
from monitor.tracking.quality import sharpness
from monitor.worker import StreamWorker
from tests.waiting import wait_until

_BOTH = "head-pose-face-detection-female-and-male.mp4"
_FPS, _GOP = 25, 10
_CROPS = 16
_LARGE, _SMALL = (960, 540), (320, 180)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Half a minute of two people, in two sizes."""
    media = Path(os.environ.get("GEND_TEST_ASSETS", "")) / "media" / _BOTH
    if not media.is_file():
        pytest.skip("GEND_TEST_ASSETS names no folder: nobody to be seen")
    folder = tmp_path_factory.mktemp("camera")
    return {name: _encoded(media, folder / f"{name}.mp4", size) for name, size in (("main", _LARGE), ("sub", _SMALL))}


def _encoded(video: Path, path: Path, size: tuple[int, int]) -> Path:
    with av.open(str(video)) as container:
        pictures = [cv2.resize(each.to_ndarray(format="rgb24"), size, interpolation=cv2.INTER_AREA)
                    for each in container.decode(video=0)]  # fmt: skip
    # Forth and back, so that nobody jumps.
    forth_and_back = itertools.islice(itertools.cycle([*pictures, *pictures[-2:0:-1]]), 30 * _FPS)
    with av.open(str(path), "w") as written:
        stream: Any = written.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = _GOP
        stream.codec_context.options = {"preset": "ultrafast", "crf": "20", "sc_threshold": "0", "bf": "0"}
        for picture in forth_and_back:
            written.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8, copy=False), format="rgb24")))
        written.mux(stream.encode(None))
    return path


@dataclass
class _Watched:
    """A worker, and the crops it has cut, at their native size."""

    worker: StreamWorker
    crops: list[Crop] = field(default_factory=list)

    def have(self, crops: int) -> bool:
        return len(self.crops) >= crops


@contextmanager
def _watched(camera: dict[str, Path], yunet: YuNet, **fields: Any) -> Iterator[_Watched]:
    config = StreamConfig.model_validate({"name": "lobby", "url": f"file:{camera['main']}", "loop": True, **fields})
    ids = (f"run-{number}" for number in itertools.count(1))
    faces = FacesConfig(crops_per_s=2, min_sharpness=0)
    tracking = Tracking("lobby", faces, [], yunet, prepare=lambda aligned: aligned, track_ids=ids)
    lock = threading.Lock()

    def take(message: Tracked) -> None:
        if isinstance(message, Crop):
            with lock:
                watched.crops.append(message)

    watched = _Watched(StreamWorker(config, tracking, LiveClock(), on_message=take, on_status=lambda _: None))
    watched.worker.start()
    try:
        yield watched
    finally:
        watched.worker.ask_to_stop()
        assert watched.worker.join(time.monotonic() + 20)


@pytest.fixture
def yunet(assets: Path) -> YuNet:
    return YuNet(assets / "models" / "yunet_n_640_640.onnx")


def _landmarks(crops: list[Crop], yunet: YuNet) -> NDArray[np.float64]:
    """Where faces are in crops, as parts of the crop's side, (crops, 5, 2)."""
    found = []
    for crop in crops:
        faces = yunet.detect(crop.pixels)
        assert len(faces) == 1, "a crop without a face"
        found.append(faces[0].landmarks / crop.pixels.shape[0])
    return np.array(found)


def test_crops_are_as_large_sharp_and_aligned_as_without_and_little_is_decoded(
    camera: dict[str, Path], yunet: YuNet
) -> None:
    with _watched(camera, yunet) as whole:
        wait_until(lambda: whole.have(_CROPS))
    with _watched(camera, yunet, detect_url=f"file:{camera['sub']}") as paired:
        wait_until(lambda: paired.worker.statistics().reader.skipped > 100 and paired.have(_CROPS))
        before = paired.worker.statistics().reader
        have = len(paired.crops)
        wait_until(lambda: paired.have(have + _CROPS))
        after = paired.worker.statistics()
    # Cut from keyframes alone.
    decoded, skipped = after.reader.frames - before.frames, after.reader.skipped - before.skipped
    assert skipped > 5 * decoded
    assert after.reader.degraded is None
    assert after.reader.substream is not None
    assert after.reader.substream.frames > after.reader.frames
    assert after.tracking.faces == 2
    assert after.tracking.gated.get("alignment", 0) * 5 <= after.tracking.sampled
    assert paired.worker.failure is None
    # As large and as sharp.
    cut = paired.crops[have:]
    width_px = [np.median([crop.width_px for crop in crops]) for crops in (whole.crops, cut)]
    assert width_px[1] == pytest.approx(width_px[0], rel=0.15)
    side_px = [np.median([crop.pixels.shape[0] for crop in crops]) for crops in (whole.crops, cut)]
    assert side_px[1] == pytest.approx(side_px[0], rel=0.15)
    sharp = [np.median([sharpness(crop.pixels) for crop in crops]) for crops in (whole.crops, cut)]
    assert sharp[1] > 0.75 * sharp[0]
    # As well aligned: each crop's landmarks are where they are in the others.
    reference = _landmarks(whole.crops, yunet)
    eyes = np.linalg.norm(np.median(reference[:, 1] - reference[:, 0], axis=0))
    middle = np.median(reference[:, :2], axis=0)
    off = [np.linalg.norm(landmarks[:, :2] - middle, axis=-1).mean(axis=1) / eyes
           for landmarks in (reference, _landmarks(cut, yunet))]  # fmt: skip
    assert np.median(off[1]) < np.median(off[0]) + 0.06  # beside how they turn their heads


@pytest.mark.parametrize("later", [-5, 0, 5])
def test_landmarks_are_placed_on_the_main_picture_though_it_is_of_another_instant(
    camera: dict[str, Path], yunet: YuNet, later: int
) -> None:
    """A fifth of a second apart, they are as near to what a search of all of it finds as without a substream."""
    main, sub = (list(itertools.islice(read_file(camera[name], "lobby"), 110)) for name in ("main", "sub"))
    config = FacesConfig(search_every=1, idle_blind_max_s=0)
    finder, thorough = Finder(yunet, config), Finder(yunet, config.model_copy(update={"analysis_px": _LARGE[0]}))
    unmoved, paired, usual = [], [], []
    for number in range(5, 105, 5):
        large = main[number + later]
        pair = PairedFrame(sub[number], large)
        assert pair.detail == "near"
        truth = _wide(thorough.find(large, None).faces)
        for seen in _wide(finder.find(pair, None).faces):
            placed = finder.closer(pair, seen)
            assert placed is not None
            unmoved.append(_off(seen, truth))
            paired.append(_off(placed, truth))
        for seen in _wide(finder.find(large, None).faces):
            placed = finder.closer(large, seen)
            assert placed is not None
            usual.append(_off(placed, truth))
    assert len(paired) >= 0.9 * len(usual) >= 30
    assert np.median(paired) < np.median(usual) + 0.03
    assert np.percentile(paired, 90) < np.percentile(usual, 90) + 0.05
    assert np.median(unmoved) > np.median(paired) + 0.08


def _wide(faces: Sequence[Face]) -> list[Face]:
    return [face for face in faces if face.confidence >= 0.6 and face.box[2] - face.box[0] >= 90]


def _off(face: Face, truth: Sequence[Face]) -> float:
    """Mean distance of landmarks from those of the nearest face, in distances between the eyes."""
    off = [float(np.linalg.norm(face.landmarks - other.landmarks, axis=1).mean()) for other in truth]
    nearest = int(np.argmin(off))
    return off[nearest] / float(np.linalg.norm(truth[nearest].landmarks[1] - truth[nearest].landmarks[0]))


def test_statistics_of_both_go_on_over_a_restart(camera: dict[str, Path], yunet: YuNet) -> None:
    with _watched(camera, yunet, detect_url=f"file:{camera['sub']}") as paired:
        wait_until(lambda: paired.have(2))
        now = paired.worker.statistics()
    once = total(nothing_yet(), now)
    twice = total(once, now)
    assert now.reader.substream is not None
    assert once.reader.substream == now.reader.substream
    assert twice.reader.substream is not None
    assert twice.reader.substream.frames == 2 * now.reader.substream.frames
    assert twice.reader.state == "live"
