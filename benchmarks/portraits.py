"""Pictures of faces that some benchmarks are given as folders, and how they compare what is done to them.

The folders are the user's own: pictures with faces, and pairs, i.e. `real/` and one folder per manipulation with
aligned crops of the same names in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr

from gend.errors import PictureError
from gend.evaluation.bootstrap import paired_auroc
from gend.faces import Face
from gend.faces.boxes import shared_area
from gend.model import Detector

Pixels = NDArray[np.uint8]
Scores = NDArray[np.float32]

_MIN_SHARED = 0.5
_REAL = "real"


def pictures(folder: Path) -> Iterator[Pixels]:
    """Every picture of a folder, RGB uint8 (h, w, 3), by name."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
            yield read(path)


def read(path: Path) -> Pixels:
    """One picture, RGB uint8 (h, w, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def matched(expected: Sequence[Face], found: Sequence[Face]) -> list[tuple[Face, Face]]:
    """Faces of two detectors that are the same face: their boxes share more than half, each belongs to one pair."""
    left = list(found)
    pairs = []
    for face in expected:
        if not left:
            break
        boxes = np.array([other.box for other in left], np.float32)
        shared = shared_area(np.array(face.box, np.float32), boxes)
        if shared.max() > _MIN_SHARED:
            pairs.append((face, left.pop(int(shared.argmax()))))
    return pairs


def separations(detector: Detector, folder: Path, cut: Callable[[Pixels], Pixels]) -> dict[str, str]:
    """AUROC of each manipulation in a folder of pairs, with its bootstrap.

    Args:
        detector: scores what `cut` returns.
        folder: of pairs.
        cut: picture of a pair → crop as `Detector.logits` takes it; may raise a PictureError, and then the name is
            left out of all folders.
    """
    kinds = [_REAL, *sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != _REAL)]
    crops: Mapping[str, list[Pixels]] = {kind: [] for kind in kinds}
    names = sorted(path.name for path in (folder / _REAL).iterdir())
    for name in names:
        try:
            found = [cut(read(folder / kind / name)) for kind in kinds]
        except PictureError:
            continue
        for kind, crop in zip(kinds, found, strict=True):
            crops[kind].append(crop)
    scores = {kind: detector.logits(np.stack(found)) for kind, found in crops.items()}
    left_out = len(names) - len(crops[_REAL])
    note = f", {left_out} of {len(names)} not found" if left_out else ""
    return {kind: f"{paired_auroc(scores[_REAL], scores[kind])}{note}" for kind in kinds[1:]}


def drift(before: Scores, after: Scores) -> str:
    """How far scores moved, as cells of a table: mean, 95 % and largest distance, rank correlation."""
    moved = np.abs(after - before)
    rank = spearmanr(before, after).statistic
    return f"{moved.mean():.3g} | {np.quantile(moved, 0.95):.3g} | {moved.max():.3g} | {rank:.4f}"
