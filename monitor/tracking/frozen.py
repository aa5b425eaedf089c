"""Video that does not change though time goes on: pictures shown twice, and faces that are pictures.

Both are told, and neither is evidence of anything: a frozen encoder shows the same picture again and again, and a
photograph before the camera, or a person's tile in a call that stands still, is no living face. A photograph that is
moved, by a hand say, is not recognised.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.messages import Box, Pixels

_WINDOW_S = 10.0
_MIN_PICTURES = 5
"""Fewer pictures in the window say nothing."""
_MIN_SHARE = 0.5
"""Of the pictures in the window; each keyframe makes even a frozen picture look new once."""
_SAMPLE_STEP = 40

_STILL_S = 10.0
_CELLS = 12
"""Across and down the face: narrow enough that closed eyes change one by a lot."""
_NOISE = 6.0
"""Grey levels by which the mean of a cell may change by noise and compression: measured 2 at good quality and 4 with
strong noise. Of a living face one changes by more within a second or two."""
_SAMPLES_ACROSS = 36
"""Of wide faces not every pixel is looked at."""


class Repeats:
    """Tells of one stream whether its pictures repeat. A look takes 2 µs, at a repeated picture some 20."""

    def __init__(self) -> None:
        self._last: Pixels | None = None
        self._last_sample = b""
        self._window: deque[tuple[float, bool]] = deque()

    def see(self, picture: Pixels, at_s: float) -> bool:
        """Whether the picture equals the one before, byte for byte.

        Args:
            picture: RGB or brightness, uint8 (h, w, 3) or (h, w), of one kind for all pictures; kept until the next,
                so nobody may write to it.
            at_s: when it was seen.
        """
        # Nearly always they differ, and then a few pixels tell.
        sample = picture[::_SAMPLE_STEP, ::_SAMPLE_STEP].tobytes()
        same = sample == self._last_sample and self._last is not None and _equal(self._last, picture)
        self._last, self._last_sample = picture, sample
        self._window.append((at_s, same))
        while self._window[0][0] <= at_s - _WINDOW_S:
            self._window.popleft()
        return same

    @property
    def lasting(self) -> bool:
        """Whether at least half of the pictures of the last ten seconds were repeats."""
        repeats = sum(same for _, same in self._window)
        return len(self._window) >= _MIN_PICTURES and repeats >= _MIN_SHARE * len(self._window)


class Stillness:
    """Tells of one face whether where it was seen nothing has changed. A look at any width takes some 20 µs."""

    def __init__(self) -> None:
        self._area: tuple[slice, slice] | None = None
        self._cells: NDArray[np.float32] | None = None
        self._since_s = math.inf
        self._now_s = -math.inf

    def see(self, picture: Pixels, box: Box, at_s: float) -> None:
        """Looks at the face in one more picture.

        Args:
            picture: RGB uint8 (h, w, 3), not a repeat of the one before.
            box: where the face is in it, in its pixels; once something has changed, what comes is compared with this.
            at_s: when it was seen.
        """
        self._now_s = at_s
        if self._area is not None and self._cells is not None:
            change = _cells(picture, self._area) - self._cells
            # Light that grows or fades everywhere is no movement.
            if np.abs(change - change.mean()).max() <= _NOISE:
                return
        self._area = _area(picture, box)
        self._cells = None if self._area is None else _cells(picture, self._area)
        self._since_s = at_s

    @property
    def lasting(self) -> bool:
        """Whether nothing has changed for ten seconds."""
        return self._cells is not None and self._now_s - self._since_s >= _STILL_S


def _equal(one: Pixels, other: Pixels) -> bool:
    return one.shape == other.shape and cv2.norm(one, other, cv2.NORM_INF) == 0


def _area(picture: Pixels, box: Box) -> tuple[slice, slice] | None:
    """The part of the picture that the box covers, rows and columns; None where it has fewer pixels than cells."""
    height, width = picture.shape[:2]
    x0, x1 = (int(min(max(edge, 0), width)) for edge in (box[0], box[2]))
    y0, y1 = (int(min(max(edge, 0), height)) for edge in (box[1], box[3]))
    if min(x1 - x0, y1 - y0) < _CELLS:
        return None
    step = max(1, (x1 - x0) // _SAMPLES_ACROSS)
    return slice(y0, y1, step), slice(x0, x1, step)


def _cells(picture: Pixels, area: tuple[slice, slice]) -> NDArray[np.float32]:
    """Mean green of each cell, float32 (12, 12): nearly all of the brightness, and no conversion."""
    green = picture[(*area, 1)]
    return cv2.resize(green, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA).astype(np.float32)
