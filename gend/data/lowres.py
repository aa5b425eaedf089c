"""One manipulation: a face re-made at low resolution, the mark that early auto-encoder swaps leave.

Inside a soft hull of the face the picture is reduced to a few pixels, enlarged again, shifted a little in colour and
pasted back. Nobody's face is put onto anyone: the person stays who they are. The demo encoder is trained on it and the
demo clip shows it; nothing else is claimed of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.faces.align import alignment, check_picture

Upsampling = Literal["nearest", "linear", "cubic"]

_INTERPOLATION = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_MIN_DETAIL_PX, _MAX_DETAIL_PX = 9.0, 34.0


@dataclass(frozen=True, slots=True)
class Hull:
    """The part of a face that is re-made: a rounded shape with a soft edge.

    Lengths are in units of the alignment template, whose side is about twice a face's width.
    """

    half_width: float = 0.38
    half_height: float = 0.46
    centre_y: float = 0.66
    """Where its centre lies; the eyes are at 0.46, the mouth at 0.82."""
    squareness: float = 2.3
    """Exponent of the superellipse: 2 is an ellipse, more has fuller corners."""
    feather: float = 0.12
    """Width of the soft edge, which lies inside the shape."""


@dataclass(frozen=True, slots=True)
class LowResolution:
    """How strongly a face is re-made, and how."""

    detail_px: float = 14.0
    """Pixels across the face that are left of it. Fewer is stronger."""
    upsampling: Upsampling = "linear"
    colour_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the three channels, of 255."""
    hull: Hull = Hull()

    @classmethod
    def draw(cls, rng: np.random.Generator) -> LowResolution:
        """One at random, of the strengths and shapes that the demo encoder is trained on."""
        hull = Hull(
            half_width=rng.uniform(0.3, 0.44),
            half_height=rng.uniform(0.36, 0.54),
            centre_y=rng.uniform(0.6, 0.72),
            squareness=rng.uniform(2.0, 3.2),
            feather=rng.uniform(0.03, 0.22),
        )
        red, green, blue = rng.normal(0, 4, 3)
        return cls(
            detail_px=float(np.exp(rng.uniform(np.log(_MIN_DETAIL_PX), np.log(_MAX_DETAIL_PX)))),
            upsampling=("linear", "cubic", "nearest")[rng.choice(3, p=(0.45, 0.35, 0.2))],
            colour_shift=(red, green, blue),
            hull=hull,
        )


def remake_low_resolution(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], how: LowResolution
) -> NDArray[np.uint8]:
    """Re-makes one face at low resolution. The same arguments give the same picture.

    Args:
        picture: RGB uint8 (h, w, 3); left as it is.
        landmarks: (5, 2) of the face, pixels of the picture, ordered as in `gend.faces.Face`.
        how: strength and shape.

    Returns:
        RGB uint8 (h, w, 3), equal to `picture` wherever `face_hull` is 0.

    Raises:
        PictureError: no such picture, or landmarks that describe no face.
    """
    check_picture(picture)
    weight = face_hull(landmarks, picture.shape[:2], how.hull)
    rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
    changed = picture.copy()
    if not rows.size:
        return changed  # the face lies outside the picture
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    remade = _reduce_and_enlarge(picture[box], how.detail_px / face_width(landmarks), how.upsampling)
    remade += np.array(how.colour_shift, np.float32)
    blend = weight[box][..., None]
    mixed = picture[box] + blend * (remade - picture[box])
    changed[box] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return changed


def face_hull(landmarks: NDArray[np.float32], shape: tuple[int, int], hull: Hull) -> NDArray[np.float32]:
    """How much of each pixel is re-made, float32 (h, w), 0 outside and 1 well inside.

    Args:
        landmarks: (5, 2) of the face, pixels.
        shape: height and width of the picture, pixels.
        hull: the shape.

    Raises:
        PictureError: landmarks that describe no face.
    """
    matrix, template_px = alignment(landmarks, scale=1.0)
    (a, b, c), (d, e, f) = (matrix / template_px).tolist()  # picture → template
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = np.abs(a * x + b * y + (c - 0.5)) / hull.half_width
    down = np.abs(d * x + e * y + (f - hull.centre_y)) / hull.half_height
    # cv2.pow takes a fifth of numpy's time.
    radius = cv2.pow(cv2.pow(across, hull.squareness) + cv2.pow(down, hull.squareness), 1 / hull.squareness)
    inside = np.clip((1 - radius) * (hull.half_width / hull.feather), 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), dtype=np.float32)


def face_width(landmarks: NDArray[np.float32]) -> float:
    """Width of a face, pixels, as a detector would draw its box: about two distances between the eyes.

    Raises:
        PictureError: landmarks that describe no face.
    """
    _, template_px = alignment(landmarks, scale=1.0)
    return 0.66 * template_px


def _reduce_and_enlarge(patch: NDArray[np.uint8], factor: float, upsampling: Upsampling) -> NDArray[np.float32]:
    height, width = patch.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    if small[0] >= width or small[1] >= height:
        return patch.astype(np.float32)  # the face is smaller than what would be left of it
    reduced = cv2.resize(patch, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=_INTERPOLATION[upsampling]).astype(np.float32)
