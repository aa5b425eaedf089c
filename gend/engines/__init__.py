"""What runs an encoder. One module per engine, imported where it is chosen; this file is what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Fine-tunes of one encoder, ready to be mixed. Immutable: engines may keep a copy of it on their device.

    Axes: A fine-tunes, N LayerNorms, C width.
    """

    norms: Floats
    """Scale and shift of each LayerNorm, (A, N, 2, C)."""
    head_weight: Floats
    """(A, 2, C)."""
    head_bias: Floats
    """(A, 2)."""


class Mix(NamedTuple):
    """Which fine-tune judges each crop of a batch."""

    bank: Bank
    rows: NDArray[np.intp]
    """Of the bank, (B,)."""


class Engine(Protocol):
    """Runs one network on crops. May be called from any thread."""

    @property
    def name(self) -> str:
        """Library and device, as alerts state them: `torch-cpu`."""

    @property
    def precision(self) -> str:
        """Arithmetic of the encoder: `fp32`."""

    @property
    def mixes(self) -> bool:
        """Whether it can take a `mix`."""

    def logits(self, crops: NDArray[np.uint8], mix: Mix | None = None) -> Floats:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,).

        Args:
            crops: what to judge.
            mix: the fine-tune of each crop; None where all are judged by the checkpoint's own.
        """
