"""The tables of the demo encoder's card: pairs it never saw, and how high real people in videos are scored.

Run: python -m benchmarks.demo_encoder --pairs FOLDER --video CLIP.mp4 [--weights FILE]. FOLDER has `real/` and one
folder per manipulation, with aligned crops of the same names in each. The null row is a control: who tells it from the
real crops has learnt resampling and colours.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from gend.data.sample import aligned_landmarks
from gend.data.selfblend import SelfBlend
from gend.errors import PictureError
from gend.evaluation.bootstrap import paired_auroc
from gend.faces import FaceDetector, align, load_detector
from gend.metrics import probability
from gend.model import Detector

_REAL = "real"
_HIGH = 0.9
_NULL = "null: altered all over"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--video", type=Path, action="append", default=[], help="of real people; may be given again")
    parser.add_argument("--least-px", type=float, default=90, help="narrowest face that is scored in videos")
    parser.add_argument("--every-s", type=float, default=1, help="seconds between the pictures taken of a video")
    parser.add_argument("--weights", default="demo")
    options = parser.parse_args()
    detector, console = Detector.load(options.weights, threads=1), Console()
    if options.pairs is not None:
        console.print(pair_table(detector, options.pairs))
    if options.video:
        faces = load_detector("auto", warn=console.print)
        console.print(video_table(detector, faces, options.video, options.least_px, options.every_s))


def pair_table(detector: Detector, folder: Path) -> Table:
    """Separation of real and manipulated crops.

    Args:
        detector: to be measured.
        folder: has `real/` and one folder per manipulation, with aligned crops of the same names in each.

    Raises:
        PictureError: a folder is missing or empty, or a picture cannot be read.
    """
    real = folder / _REAL
    table = Table("manipulation", "pairs", "AUROC [95 %]", "median p", f"p > {_HIGH}")
    for other in [real, *sorted(path for path in folder.iterdir() if path.is_dir() and path != real)]:
        honest, scores = score_pairs(detector, folder, other.name)
        separation = "" if other == real else str(paired_auroc(honest, scores))
        table.add_row(other.name, str(len(scores)), separation, *_spread(scores))
    honest, null = _null(detector, real)
    table.add_row(_NULL, str(len(null)), str(paired_auroc(honest, null)), *_spread(null))
    return table


def _null(detector: Detector, real: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-odds of the real crops, and of the same altered and resampled all over as for a blend, but not blended."""
    rng = np.random.default_rng(0)
    crops = [_picture(path) for path in sorted(real.glob("*")) if path.is_file()]
    altered = []
    for crop in crops:
        how = SelfBlend.draw(rng)
        altered.append(how.without_blend(how.target(crop), aligned_landmarks(crop.shape[0])))
    honest, null = (detector.logits(np.stack([detector.prepare(crop) for crop in each])) for each in (crops, altered))
    return honest, null


def score_pairs(detector: Detector, folder: Path, manipulation: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log-odds of the real crops and of their manipulated twins, (n,) each. Raises as `pair_table`."""
    names = sorted(path.name for path in (folder / _REAL).glob("*") if path.is_file())
    if not names:
        raise PictureError(f"{folder / _REAL}: no pictures")
    real, fake = (
        detector.logits(np.stack([detector.prepare(_picture(folder / kind / name)) for name in names]))
        for kind in (_REAL, manipulation)
    )
    return real, fake


def video_table(
    detector: Detector, faces: FaceDetector, videos: Sequence[Path], least_px: float, every_s: float
) -> Table:
    """Scores of every face at least `least_px` wide, in one picture of each `every_s` seconds.

    Raises:
        PictureError: a video cannot be read.
    """
    table = Table("video", "faces", "median p", f"p > {_HIGH}")
    for video in videos:
        crops = [
            detector.prepare(align(picture, face.landmarks))
            for picture in _pictures(video, every_s)
            for face in faces.detect(picture)
            if face.box[2] - face.box[0] >= least_px
        ]
        scores = detector.logits(np.stack(crops)) if crops else np.empty(0, np.float32)
        table.add_row(video.name, str(len(crops)), *(_spread(scores) if crops else ("", "")))
    return table


def _picture(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise PictureError(f"{path}: cannot read: {error.strerror or error}") from error


def _pictures(video: Path, every_s: float) -> Iterator[NDArray[np.uint8]]:
    """One picture of each `every_s` seconds, RGB uint8 (h, w, 3)."""
    due_s = 0.0
    try:
        with av.open(str(video)) as container:
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= due_s:
                    due_s = frame.time + every_s
                    yield np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)
    except (av.FFmpegError, IndexError) as error:
        raise PictureError(f"{video}: cannot read: {error}") from error


def _spread(scores: NDArray[np.float32]) -> tuple[str, str]:
    high = probability(scores)
    return f"{np.median(high):.3f}", f"{(high > _HIGH).mean():.1%}"


if __name__ == "__main__":
    main()
