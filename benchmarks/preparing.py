"""What it costs to cut crops from a video: `gend prepare` beside the loop that people write with OpenCV.

Run: python -m benchmarks.preparing VIDEO … (fetches YuNet)

Both load the same detector, search on one thread, and align alike; the loop decodes with
`cv2.VideoCapture` and writes with `cv2.imwrite`, and knows of no manifest, hashes, masks or resumption.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import described
from gend.data.extract import Cut
from gend.data.prepare import Request, prepare
from gend.data.spread import FrameChoice
from gend.faces import align, load_detector

_ROUNDS = 5
_SIZE_PX = 256
_CHOICES = {
    "32 frames": FrameChoice(frames=32),
    "every 5th frame": FrameChoice("fixed_stride", stride=5),
    "every frame": FrameChoice("fixed_stride", stride=1),
}
_WAYS = ("loop, all frames fetched", "loop, unused frames grabbed", "gend prepare")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one pass."""

    cpu_s: float
    frames: int
    crops: int


def main() -> None:
    """Prints a table for each video."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("videos", nargs="+", type=Path)
    given = arguments.parse_args()
    cv2.setNumThreads(1)
    for video in given.videos:
        print(f"\n{video.name}\n")
        print("| frames | way | CPU s | frames looked at/s | crops/s | crops | of the first loop |")
        print("|---|---|---|---|---|---|---|")
        for name, choice in _CHOICES.items():
            costs = _least(video, choice)
            for way, cost in zip(_WAYS, costs, strict=True):
                print(
                    f"| {name} | {way} | {cost.cpu_s:.2f} | {cost.frames / cost.cpu_s:.0f} "
                    f"| {cost.crops / cost.cpu_s:.0f} | {cost.crops} | {cost.cpu_s / costs[0].cpu_s:.2f} |"
                )
    print(f"\nCPU time of all threads, least of {_ROUNDS} passes that take each way in turn; crops of {_SIZE_PX} px.")
    print(described("av", "opencv-python-headless", "openvino"))


def _least(video: Path, choice: FrameChoice) -> list[Cost]:
    ways: list[Callable[[Path], tuple[int, int]]] = [
        lambda out: _loop(video, out, choice, grabs=False),
        lambda out: _loop(video, out, choice, grabs=True),
        lambda out: _prepare(video, out, choice),
    ]
    best: list[Cost | None] = [None] * len(ways)
    for _ in range(_ROUNDS):
        for number, way in enumerate(ways):
            with tempfile.TemporaryDirectory() as folder:
                begun_s = time.process_time()
                frames, crops = way(Path(folder) / "out")
                cost = Cost(time.process_time() - begun_s, frames, crops)
            before = best[number]
            best[number] = cost if before is None or cost.cpu_s < before.cpu_s else before
    return [cost for cost in best if cost is not None]


def _loop(video: Path, out: Path, choice: FrameChoice, *, grabs: bool) -> tuple[int, int]:
    """Frames looked at, and crops."""
    out.mkdir()
    detector = load_detector("yunet", warn=print)
    capture = cv2.VideoCapture(str(video))
    wanted = set(choice.order(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    frames = crops = 0
    for number in range(max(wanted) + 1):
        if grabs and number not in wanted:
            capture.grab()
            continue
        came, bgr = capture.read()
        if not came:
            break
        if number not in wanted:
            continue
        frames += 1
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        faces = [face for face in detector.detect(rgb) if face.box[2] - face.box[0] >= Cut().min_face_px]
        if faces:
            face = max(faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
            crop = align(rgb, face.landmarks, size=_SIZE_PX)
            cv2.imwrite(str(out / f"{number:06d}.png"), crop[..., ::-1])
            crops += 1
    capture.release()
    return frames, crops


def _prepare(video: Path, out: Path, choice: FrameChoice) -> tuple[int, int]:
    prepared = prepare(video, out, Request(dataset="set", detector="yunet", cut=Cut(choice, size=_SIZE_PX)))
    return sum(source.frames for source in prepared.sources), prepared.crops


if __name__ == "__main__":
    main()
