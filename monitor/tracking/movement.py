"""Whether anything moves in a stream's picture, told from a few hundred means: cheap enough for every analysis."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.messages import Pixels

_CELLS = 32
"""Along the longer side: a face that is just wide enough to be scored covers several."""
_NOISE = 5.0
"""Grey levels by which a cell's mean may change by noise and compression; a cell is an average of a hundred pixels."""


class Movement:
    """Compares each picture with the one in which something was last seen to move, so that slow changes add up."""

    def __init__(self) -> None:
        self._cells: NDArray[np.float32] | None = None
        self._moved_s = -math.inf
        self._seen_s = -math.inf

    def see(self, luma: Pixels, at_s: float) -> bool:
        """Looks at the next picture; returns whether something in it has moved.

        Args:
            luma: brightness, uint8 (h, w), of the whole picture.
            at_s: when it was seen.
        """
        self._seen_s = at_s
        cells = _cells(luma)
        if self._cells is not None and self._cells.shape == cells.shape:
            change = (cells - self._cells).ravel()
            # Light that grows or fades everywhere is no movement. (A tenth of what `np.median` takes.)
            middle = np.partition(change, change.size // 2)[change.size // 2]
            if float(np.abs(change - middle).max()) <= _NOISE:
                return False
        self._cells, self._moved_s = cells, at_s
        return True

    def forget(self) -> None:
        """The next picture counts as moved."""
        self._cells = None

    @property
    def still_s(self) -> float:
        """Seconds for which nothing has moved, as of the picture seen last; 0 before the first."""
        return self._seen_s - self._moved_s if self._cells is not None else 0.0


def _cells(luma: Pixels) -> NDArray[np.float32]:
    height, width = luma.shape
    scale = _CELLS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
