"""What runs an encoder. One module per engine, imported where it is chosen; this file is what they have in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """Runs one network on crops. May be called from any thread."""

    @property
    def name(self) -> str:
        """Library and device, as alerts state them: `torch-cpu`."""

    @property
    def precision(self) -> str:
        """Arithmetic of the encoder: `fp32`."""

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,)."""
