"""Small pictures for people who look at a stream: made only while somebody does, once for all of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

import cv2
import numpy as np

from monitor.messages import Frame, Look, Preview, SeenFace

_EVERY_S = 0.5
_LONGER_PX = 640
_QUALITY = 75
"""Of the JPEG: 640 x 360 pixels come to about 40 kB."""


class Previews:
    """Decides when a preview is due, and makes it. `look` may be called by any thread, the rest by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until_s = -math.inf
        self._last_s = -math.inf

    def look(self, look: Look) -> None:
        """Somebody looks; the latest word counts."""
        with self._lock:
            self._until_s = look.expires_s

    def due(self, at_s: float) -> bool:
        """Whether somebody looks, and has waited long enough for the next one."""
        with self._lock:
            return at_s <= self._until_s and at_s - self._last_s >= _EVERY_S

    def make(self, frame: Frame, faces: Iterable[SeenFace]) -> Preview:
        """The preview of a frame, with the faces followed in it."""
        self._last_s = frame.at_s
        small = frame.small(_LONGER_PX)
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return Preview(frame.stream, frame.at_s, np.asarray(jpeg).tobytes(), frame.width, frame.height, tuple(faces))
