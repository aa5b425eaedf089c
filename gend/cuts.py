"""Where a video changes from one scene to another: what was where before says nothing of what comes then."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Values = NDArray[np.float64]

_STEADY_S = 1.0
"""Over longer than this a moving camera changes as much of the picture as a cut does."""
_THUMBNAIL = (32, 18)
_CUT = 20.0
"""Mean difference of two thumbnails, 0 to 255. People who move about change theirs by up to 12 within seconds, and two
views of the same room differ by 26 and more (four clips)."""


class Cuts:
    """Tells the cuts of one video, as far as its frames are looked at closely enough."""

    def __init__(self) -> None:
        self._thumbnail: Values | None = None
        self._at_s = 0.0

    def at(self, pixels: Pixels, at_s: float) -> bool:
        """Whether the next frame shows another scene than the last one.

        Args:
            pixels: uint8 (h, w, 3).
            at_s: when it is shown; never before the last one.

        Returns:
            Always False where the last one was shown more than a second before.
        """
        before, self._thumbnail = self._thumbnail, _thumbnail(pixels)
        waited_s, self._at_s = at_s - self._at_s, at_s
        return before is not None and waited_s <= _STEADY_S and float(np.abs(before - self._thumbnail).mean()) > _CUT


def _thumbnail(pixels: Pixels) -> Values:
    """(18, 32, 3), without reading every pixel of a large picture."""
    step = max(1, min(pixels.shape[0] // _THUMBNAIL[1], pixels.shape[1] // _THUMBNAIL[0]) // 4)
    return cv2.resize(pixels[::step, ::step], _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
