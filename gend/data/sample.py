"""The unit that every source of real pictures yields, and where a face lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gend.faces.align import TEMPLATE

CONTEXT = 1.3
"""How much wider than the bare template a crop is seen, as in `gend.faces.align`."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A crop with a face, or with something in a face's place."""

    picture: NDArray[np.uint8]
    """RGB uint8 (side, side, 3)."""
    landmarks: NDArray[np.float32]
    """(5, 2), pixels of the crop."""


class Source(Protocol):
    """Something that never runs out of real pictures."""

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One crop of `side` pixels."""


def aligned_landmarks(side: int) -> NDArray[np.float32]:
    """Where alignment puts the five landmarks in a crop of `side` pixels, (5, 2)."""
    return np.asarray(((TEMPLATE - 0.5) / CONTEXT + 0.5) * side, dtype=np.float32)


def jittered_landmarks(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """The same, off by what faces differ and detectors err, (5, 2)."""
    spread = rng.normal(0, 0.012 * side, (len(TEMPLATE), 2))
    return (aligned_landmarks(side) + spread).astype(np.float32)
