"""Small trees of crops, and scorers that need no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from gend.evaluation.detectors import Floats, Identity, Pixels
from gend.evaluation.under_way import Told


def make_tree(root: Path, videos: int = 3, frames: int = 2, sources: Sequence[str] = ("real", "swap")) -> Path:
    """Crops of noise, those of fakes brighter: `set/<source>/<video>/<frame>.png`."""
    rng = np.random.default_rng(0)
    for source in sources:
        for video in range(videos):
            folder = root / "set" / source / f"v{video}"
            folder.mkdir(parents=True)
            for frame in range(frames):
                low = 0 if "real" in source else 60
                Image.fromarray(rng.integers(low, low + 150, (40, 40, 3)).astype(np.uint8)).save(
                    folder / f"{frame}.png"
                )
    return root


class Brightness:
    """Calls bright crops fake. Remembers how many it was given at a time."""

    def __init__(self, sha256: str = "0", *, fails: Exception | None = None, says: float | None = None) -> None:
        self.identity = Identity("test", "brightness", sha256, "numpy", "fp64", "any")
        self.batches: list[int] = []
        self._fails, self._says = fails, says

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        self.batches.append(len(crops))
        if self._fails is not None:
            raise self._fails
        means = [crop.mean() / 25 - 4 if self._says is None else self._says for crop in crops]
        return np.array(means, np.float32)


@contextmanager
def in_silence(_: str) -> Iterator[Told]:
    yield lambda done, of: None
