"""What a face detector finds, and what it must offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face found in one picture."""

    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels; may reach outside the picture."""
    landmarks: NDArray[np.float32]
    """(5, 2), pixels: the eye on the picture's left, the one on its right, nose tip, left and right mouth corner.

    Always finite. A detector that sees fewer points completes them, see `gend.faces.align.five_points`.
    """
    confidence: float
    """0 to 1."""


class FaceDetector(Protocol):
    """Finds the faces of one picture. One instance serves one thread at a time."""

    @property
    def name(self) -> str:
        """Which detector it is: `yunet`, `blazeface`, `scrfd`."""

    @property
    def degraded(self) -> str | None:
        """What a user loses by this detector, in one line; None where it is the one asked for."""

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Faces of an RGB picture (h, w, 3), most certain first, in its own pixels.

        Raises:
            PictureError: the array is not such a picture.
        """
