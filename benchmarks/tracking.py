"""What it does to tracks that not every picture is searched, and not at full size.

Run: python -m benchmarks.tracking VIDEO … (needs YuNet)

Each way follows the faces of the same pictures, five a second. Its boxes are held against a search of every picture at
full size; its identities are counted.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from benchmarks.machine import described
from gend.faces import Face, load_detector
from gend.preprocess import encoder_input
from monitor.config import FacesConfig
from monitor.ingest import read_file
from monitor.messages import Box, Crop, Frame, Look, Preview, TrackObservation
from monitor.tracking import Tracking
from monitor.tracking.association import iou

_FPS = 5
_THRESHOLD = 0.4
_WAYS = {
    "every picture, 640 px": FacesConfig(analysis_px=640, search_every=1, idle_blind_max_s=0),
    "every picture, sized by the face": FacesConfig(search_every=1, idle_blind_max_s=0),
    "every second, sized by the face (default)": FacesConfig(),
    "every third": FacesConfig(search_every=3),
    "every fifth": FacesConfig(search_every=5),
}
_COUNTED_PX, _SURE = 45, 0.6
"""Half of the least width that is scored: what is narrower need not be followed."""


@dataclass
class Outcome:
    """Of one way, over all videos."""

    cpu_ms: float = 0.0
    seconds: float = 0.0
    searches: int = 0
    tracks: int = 0
    crops: int = 0
    expected: int = 0
    """Faces that a search at full size finds."""
    followed: int = 0
    """Those of them that a track is on."""
    overlaps: tuple[float, ...] = ()


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("videos", nargs="+", type=Path)
    videos = arguments.parse_args().videos
    cv2.setNumThreads(1)
    frames = [_due(video) for video in videos]
    truths = [_searched(each) for each in frames]
    headings = ("way", "CPU ms for a second of video", "searches a second", "faces followed", "overlap, median", "5 %")
    print(f"| {' | '.join((*headings, 'tracks', 'crops'))} |")
    print("|---" * (len(headings) + 2) + "|")
    for way, config in _WAYS.items():
        outcome = Outcome()
        for each, truth in zip(frames, truths, strict=True):
            _follow(each, truth, config, outcome)
        overlaps = np.array(outcome.overlaps)
        print(
            f"| {way} | {outcome.cpu_ms / outcome.seconds:.1f} | {outcome.searches / outcome.seconds:.1f} "
            f"| {outcome.followed / outcome.expected:.1%} of {outcome.expected} | {np.median(overlaps):.2f} "
            f"| {np.quantile(overlaps, 0.05):.2f} | {outcome.tracks} | {outcome.crops} |"
        )
    print()
    print(
        f"Faces of {_COUNTED_PX} px and more. CPU time without decoding; overlap: intersection over union of the boxes."
    )
    print(described("opencv-python-headless", "openvino"))


def _due(video: Path) -> list[Frame]:
    """The pictures that are looked at."""
    taken: list[Frame] = []
    for frame in read_file(video, "clip"):
        if frame.at_s >= len(taken) / _FPS:
            taken.append(frame)
    return taken


def _searched(frames: Sequence[Frame]) -> list[list[Face]]:
    detector = load_detector("yunet", threshold=_SURE, warn=print)
    found = [detector.detect(frame.small(10**5)) for frame in frames]
    return [[face for face in faces if face.box[2] - face.box[0] >= _COUNTED_PX] for faces in found]


def _follow(frames: Sequence[Frame], truth: Sequence[Sequence[Face]], config: FacesConfig, outcome: Outcome) -> None:
    detector = load_detector("yunet", threshold=_THRESHOLD, warn=print)
    numbers = itertools.count(1)
    tracking = Tracking(
        "clip", config, [], detector, prepare=partial(encoder_input, input_px=224),
        track_ids=(f"t{number}" for number in numbers),
    )  # fmt: skip
    # Networks are compiled at first use: that of a search, and that of a closer look.
    detector.detect(np.zeros((128, 128, 3), np.uint8))
    tracking.process(frames[0])
    told: list[object] = []
    begun_s = time.process_time()
    for frame in frames[1:]:
        told += tracking.process(frame)
    outcome.cpu_ms += 1000 * (time.process_time() - begun_s)
    told += tracking.flush(frames[-1].at_s)
    outcome.seconds += len(frames) / _FPS
    outcome.searches += tracking.statistics().searched
    outcome.tracks += len({each.track for each in told if isinstance(each, TrackObservation)})
    outcome.crops += sum(isinstance(each, Crop) for each in told)
    _hold_against(frames, truth, config, outcome)


def _hold_against(
    frames: Sequence[Frame], truth: Sequence[Sequence[Face]], config: FacesConfig, outcome: Outcome
) -> None:
    """Once more, with somebody who looks at each picture, not at two a second, and so sees the boxes of all tracks."""
    detector = load_detector("yunet", threshold=_THRESHOLD, warn=print)
    tracking = Tracking(
        "clip", config, [], detector, prepare=partial(encoder_input, input_px=224),
        track_ids=(f"t{number}" for number in itertools.count(1)),
    )  # fmt: skip
    for frame, faces in zip(frames, truth, strict=True):
        tracking.look(Look("clip", expires_s=frame.at_s + 1))
        with patch("monitor.tracking.previews._EVERY_S", 0.0):
            previews = [each for each in tracking.process(frame) if isinstance(each, Preview)]
        if not previews:
            continue
        boxes: list[Box] = [face.box for face in previews[-1].faces]
        for face in faces:
            best = float(iou([face.box], boxes).max()) if boxes else 0.0
            outcome.expected += 1
            outcome.followed += best > 0
            outcome.overlaps = (*outcome.overlaps, *([best] if best > 0 else []))


if __name__ == "__main__":
    main()
