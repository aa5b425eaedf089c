"""Carries faces from one picture to the next without searching for them: sparse optical flow.

A face's landmarks and some points of its box are followed by the method of Lucas and Kanade in a pyramid, there and
back again (Kalal, Mikolajczyk & Matas 2010, "Forward-Backward Error"): a point that does not return to where it began
is not believed. What is left of a face's points gives one shift, turn and scale for all of it. A face of which too
little is left is not carried; then a search has to tell where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.faces import Face
from monitor.messages import Pixels

_WINDOW_PX = 15
_LEVELS = 2
"""Pyramid levels above the picture: with the window, movements of some 30 px between two pictures."""
_GRID = (0.25, 0.5, 0.75)
"""Where in the box points are followed besides the landmarks, as shares of its sides."""
_SHRINK = 2
"""Faces are followed in a picture of half the size: a quarter of the work, and movements reach twice as far."""
_RETURN_PX = 0.5
"""A point that comes back farther from where it began is lost."""
_MIN_KEPT = 0.6
"""Share of a face's points that must be left."""
_MAX_SCALE = 1.3
"""Growth or shrinking between two pictures that is not believed of a face."""

Points = NDArray[np.float32]


class Flow:
    """Remembers the last picture, and carries faces from it into the next."""

    def __init__(self) -> None:
        self._luma: Pixels | None = None

    def see(self, luma: Pixels) -> None:
        """This is the picture now, as `shrunk`; what is carried next begins here. Nobody may write to it."""
        self._luma = luma

    def carry(self, faces: Sequence[Face], luma: Pixels, scale: float) -> list[Face] | None:
        """Where the faces of the last picture are in this one.

        Args:
            faces: as they were in the last picture, in full-resolution pixels.
            luma: this picture, as `shrunk`.
            scale: full-resolution pixels for one of its.

        Returns:
            One for each, in their order and as certain as they were; None where one of them is lost.
        """
        before = self._luma
        if before is None or before.shape != luma.shape or not faces:
            return None
        starts = [_points(face) / np.float32(scale) for face in faces]
        ends, kept = _follow(before, luma, np.concatenate(starts))
        carried, at = [], 0
        for face, points in zip(faces, starts, strict=True):
            part = slice(at, at + len(points))
            at += len(points)
            moved = _moved(face, points, ends[part], kept[part], scale)
            if moved is None:
                return None
            carried.append(moved)
        return carried


def shrunk(luma: Pixels) -> Pixels:
    """A picture's brightness, uint8 (h, w), as faces are followed in it."""
    height, width = (max(1, side // _SHRINK) for side in luma.shape)
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _points(face: Face) -> Points:
    """What is followed of a face, (n, 2): its landmarks, and a grid in its box."""
    x0, y0, x1, y1 = face.box
    grid = [(x0 + across * (x1 - x0), y0 + down * (y1 - y0)) for down in _GRID for across in _GRID]
    return np.concatenate([face.landmarks, np.array(grid, np.float32)]).astype(np.float32)


def _follow(before: Pixels, after: Pixels, points: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where points (n, 2) of one picture are in the next, and which of them came back."""
    begin, window = points[:, None], (_WINDOW_PX, _WINDOW_PX)
    end, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, begin, np.empty_like(begin), winSize=window, maxLevel=_LEVELS
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(
        after, before, end, np.empty_like(begin), winSize=window, maxLevel=_LEVELS
    )
    astray = np.linalg.norm(back - begin, axis=2)[:, 0]
    kept = (found[:, 0] > 0) & (found_back[:, 0] > 0) & (astray <= _RETURN_PX)
    return end[:, 0].astype(np.float32, copy=False), kept


def _moved(face: Face, begin: Points, end: Points, kept: NDArray[np.bool_], scale: float) -> Face | None:
    if kept.mean() < _MIN_KEPT:
        return None
    matrix, _ = cv2.estimateAffinePartial2D(begin[kept], end[kept], method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all():
        return None
    growth = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if not 1 / _MAX_SCALE <= growth <= _MAX_SCALE:
        return None
    turn, shift = matrix[:, :2], matrix[:, 2] * scale  # in full-resolution pixels
    landmarks = (face.landmarks @ turn.T + shift).astype(np.float32)
    x0, y0, x1, y1 = face.box
    # The box stays upright: a head that is tilted is found in an upright box as well.
    centre_x, centre_y = turn @ np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + shift
    half_width, half_height = (x1 - x0) / 2 * growth, (y1 - y0) / 2 * growth
    box = (centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height)
    return Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), landmarks, face.confidence)
