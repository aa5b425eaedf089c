"""Which faces are fit to be scored: small, blurred, turned and cut-off faces cause most false alarms.

Tests that need no pixels come first, so that a face refused by them costs no conversion. Every refusal has one
cause, which is counted and told; whoever passes gets a quality, the margin of the test it passed most barely.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np

from gend.faces import Face
from monitor.config import FacesConfig
from monitor.messages import Frame, Pixels

Cause = Literal["untrusted", "confidence", "small", "cut_off", "pose", "alignment", "blurred", "failed"]
"""`failed` is no judgement: cutting or preparing the crop raised."""

_SHARPNESS_PX = 112
_SHARPNESS_BORDER = 0.12
"""Share of the aligned crop on each side that is context, and may be black where the picture ends."""
_MIN_VISIBLE = 0.9
"""Least share of the box that lies inside the picture."""
_MAX_ROLL_DEG = 60.0
_NOSE_BELOW_EYES = (0.2, 1.6)
"""Nose tip below the line of the eyes, in eye distances: 0.6 frontal, less looking up; beyond is no face."""
_MIN_EYES_PER_WIDTH = 0.1
"""Nearer together than this share of the box, the eyes are those of a profile."""
_WIDE_ENOUGH = 2.0
"""Times the least width from which on more pixels add nothing to the quality."""
_SHARP_ENOUGH = 8.0
"""Times the least sharpness, likewise."""


class Gate:
    """Judges whether a face is fit to be scored. Pure: the same face in the same frame is always judged alike.

    Args:
        config: least width, confidence and sharpness, largest turn.
    """

    def __init__(self, config: FacesConfig) -> None:
        self._config = config

    def refuse(self, face: Face, frame: Frame) -> Cause | None:
        """The cause for which the face is unfit, as far as can be told without its pixels.

        Args:
            face: in full-resolution pixels of `frame`.
            frame: where it was found.
        """
        if not frame.trusted:
            return "untrusted"
        if face.confidence < self._config.min_confidence:
            return "confidence"
        if width_px(face) < self._config.min_face_px:
            return "small"
        if _visible(face, frame) < _MIN_VISIBLE:
            return "cut_off"
        return self._refuse_pose(face)

    def quality(self, face: Face, sharpness: float) -> float | None:
        """How far above the gate's demands a face is that `refuse` let pass: 0 (barely) to 1; None if blurred.

        Args:
            face: in full-resolution pixels.
            sharpness: of its aligned crop, as by `sharpness`.
        """
        config = self._config
        if sharpness < config.min_sharpness:
            return None
        wide = (width_px(face) / config.min_face_px - 1) / (_WIDE_ENOUGH - 1)
        certain = _margin(face.confidence - config.min_confidence, 1 - config.min_confidence)
        frontal = _margin(config.max_yaw - yaw(face), config.max_yaw)
        sharp = math.log(sharpness / config.min_sharpness, _SHARP_ENOUGH) if config.min_sharpness > 0 else 1.0
        return min(max(min(wide, certain, frontal, sharp), 0.0), 1.0)

    def _refuse_pose(self, face: Face) -> Cause | None:
        if not np.isfinite(face.landmarks).all():
            return "alignment"
        along, below, roll_deg, eyes_px = _pose(face)
        frontal = (
            eyes_px >= _MIN_EYES_PER_WIDTH * width_px(face)
            and abs(along) <= self._config.max_yaw
            and _NOSE_BELOW_EYES[0] <= below <= _NOSE_BELOW_EYES[1]
            and abs(roll_deg) <= _MAX_ROLL_DEG
        )
        return None if frontal else "pose"


def width_px(face: Face) -> float:
    """Width of the box, pixels."""
    return face.box[2] - face.box[0]


def yaw(face: Face) -> float:
    """How far the face is turned: the nose's offset from between the eyes, in eye distances, 0 when frontal."""
    return abs(_pose(face)[0])


def sharpness(aligned: Pixels) -> float:
    """Variance of the Laplacian of a face, grey levels squared; the same at any resolution that holds the detail.

    Args:
        aligned: RGB uint8 (s, s, 3), as cut by `gend.faces.align`.
    """
    border = int(aligned.shape[0] * _SHARPNESS_BORDER)
    inner = aligned[border : aligned.shape[0] - border, border : aligned.shape[1] - border]
    # Shrinking first makes a large face comparable with a small one, and takes sensor noise out.
    method = cv2.INTER_AREA if inner.shape[0] > _SHARPNESS_PX else cv2.INTER_LINEAR
    grey = cv2.resize(cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY), (_SHARPNESS_PX, _SHARPNESS_PX), interpolation=method)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _pose(face: Face) -> tuple[float, float, float, float]:
    """Nose's offset along and below the line of the eyes (in eye distances), roll in degrees, eye distance in pixels.

    Eyes and nose are what every detector sees; mouths are not used.
    """
    (left_x, left_y), (right_x, right_y), (nose_x, nose_y) = face.landmarks[:3].tolist()
    across_x, across_y = right_x - left_x, right_y - left_y
    eyes_px = math.hypot(across_x, across_y)
    if eyes_px == 0:
        return math.inf, math.inf, math.inf, 0.0
    nose_x, nose_y = nose_x - (left_x + right_x) / 2, nose_y - (left_y + right_y) / 2
    along = (nose_x * across_x + nose_y * across_y) / eyes_px**2
    below = (nose_y * across_x - nose_x * across_y) / eyes_px**2
    return along, below, math.degrees(math.atan2(across_y, across_x)), eyes_px


def _visible(face: Face, frame: Frame) -> float:
    """Share of the box that lies inside the picture."""
    x0, y0, x1, y1 = face.box
    inside = max(min(x1, frame.width) - max(x0, 0), 0) * max(min(y1, frame.height) - max(y0, 0), 0)
    return inside / max((x1 - x0) * (y1 - y0), 1e-9)


def _margin(left: float, of: float) -> float:
    return left / of if of > 0 else 1.0
