"""What can be judged in one table: one protocol, and a module for each kind of detector, imported where it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which detector it is, so that scores kept from before are known to be its own."""

    kind: str
    weights: str
    """As they were asked for."""
    sha256: str
    """Of the weights' files, and of what else makes answers what they are."""
    engine: str
    precision: str
    input: str
    """How crops are prepared, for people."""
    notices: tuple[str, ...] = ()
    """What must be said wherever its answers are shown."""


class Scorer(Protocol):
    """A detector, ready to judge aligned crops."""

    @property
    def identity(self) -> Identity:
        """Which one it is."""

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        """Log-odds of fake of each crop, float32 (n,).

        Args:
            crops: aligned faces, RGB uint8 (h, w, 3) each, of any sizes.
        """
