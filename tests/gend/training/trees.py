"""Small trees of crops to train on: faces drawn from nothing, and the same re-made at low resolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from gend.data.pairs import Sources, draw_pairs

SIDE_PX = 64


def make_tree(root: Path, *, videos: int = 4, frames: int = 3, seed: int = 0, dataset: str = "drawn") -> Path:
    """`<dataset>/real-drawn/v<n>/<frame>.png` and `<dataset>/lowres/v<n>/<frame>.png`, pairs by their names."""
    rng = np.random.default_rng(seed)
    for video in range(videos):
        pairs = draw_pairs(rng, Sources.drawn(), frames, SIDE_PX)
        for source, crops in (("real-drawn", pairs.real), ("lowres", pairs.fake)):
            folder = root / dataset / source / f"v{seed}-{video}"
            folder.mkdir(parents=True)
            for number, crop in enumerate(crops):
                assert cv2.imwrite(str(folder / f"{number:03}.png"), crop[..., ::-1])
    return root


def flat(settings: Mapping[str, object], at: str = "") -> Iterator[str]:
    """Sections of settings as words of a command line."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{at}{key}.")
        else:
            yield f"{at}{key}={value}"
