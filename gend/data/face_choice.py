"""Which face of a frame is cut: the one that a mask points at, else the largest, as in GenD (arXiv 2508.06248).

A mask says nothing but that: it is not learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gend.faces import Face

Pixels = NDArray[np.uint8]

_MASKED = 127
"""A mask is compressed like any video: what is brighter belongs to it."""
_LEAST_VISIBLE = 0.5
"""Share of a face's box that is in the frame."""


def usable_faces(faces: Sequence[Face], min_px: int, size: tuple[int, int]) -> list[Face]:
    """Faces that are wide enough, and at least half in the frame: what lies mostly outside is the detector's fancy."""
    return [
        face
        for face in faces
        if face.box[2] - face.box[0] >= min_px and _visible_area(face, size) >= _LEAST_VISIBLE * _area(face.box)
    ]


def choose_face(faces: Sequence[Face], mask: Pixels | None, size: tuple[int, int]) -> Face | None:
    """The face to cut.

    Args:
        faces: of a frame.
        mask: RGB uint8 (h, w, 3) of any size, white where the frame was manipulated; None where nobody says.
        size: height and width of the frame.

    Returns:
        The face whose box holds most of the mask, the largest of equals; none where no box holds any of it. Without a
        mask, the one of which the largest area is in the frame.
    """
    areas = [_visible_area(face, size) for face in faces]
    if mask is None:
        return faces[int(np.argmax(areas))] if areas else None
    masked = (mask.max(axis=2) > _MASKED).astype(np.uint8)
    scale = np.array([masked.shape[1] / size[1], masked.shape[0] / size[0]] * 2)
    held = []
    for face in faces:
        x0, y0, x1, y1 = np.maximum(np.rint(np.array(face.box) * scale), 0).astype(int)
        held.append(int(masked[y0:y1, x0:x1].sum()))
    best = max(range(len(faces)), key=lambda index: (held[index], areas[index]), default=None)
    return None if best is None or not held[best] else faces[best]


def _visible_area(face: Face, size: tuple[int, int]) -> float:
    x0, y0, x1, y1 = face.box
    return _area((max(x0, 0.0), max(y0, 0.0), min(x1, float(size[1])), min(y1, float(size[0]))))


def _area(box: tuple[float, float, float, float]) -> float:
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)
