"""Geometry and colour that make many crops out of one picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.sample import Sample

_ELASTIC_GRID = 5
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def vary_geometry(
    rng: np.random.Generator,
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    matrix: NDArray[np.float64],
    side: int,
) -> Sample:
    """Cuts a crop by `matrix` (2, 3), turned, scaled, sheared, mirrored and stretched like rubber, in one warp.

    The landmarks follow all of it but the rubber, which moves them by a pixel or two, as a detector would.

    Args:
        rng: where the variation comes from.
        picture: RGB uint8 (h, w, 3); continued by reflection beyond its edges.
        landmarks: (5, 2), pixels of `picture`.
        matrix: from `picture` to an upright crop of `side` pixels.
        side: side of the crop, pixels.
    """
    matrix = _variation(rng, side) @ np.vstack([matrix, (0, 0, 1)])
    back = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))
    y, x = np.mgrid[:side, :side].astype(np.float32)
    amplitude = rng.uniform(0, 0.02) * side
    rubber = rng.normal(0, amplitude, (_ELASTIC_GRID, _ELASTIC_GRID, 2)).astype(np.float32)
    rubber = cv2.resize(rubber, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    x, y = x + rubber[..., 0], y + rubber[..., 1]
    map_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]).astype(np.float32)
    map_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]).astype(np.float32)
    interpolation = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    crop = cv2.remap(picture, map_x, map_y, interpolation, borderMode=cv2.BORDER_REFLECT_101)
    moved = landmarks @ matrix[:, :2].T + matrix[:, 2]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
        # Mirrored, the eye and the mouth corner on the right become those on the left.
        moved = (np.array((side - 1, 0)) + moved * (-1, 1))[[1, 0, 2, 4, 3]]
    return Sample(np.ascontiguousarray(crop, dtype=np.uint8), moved.astype(np.float32))


def vary_colour(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Another light and another camera: exposure, contrast, gamma, colour cast, saturation, sometimes grey."""
    x = picture.astype(np.float32) / 255
    grey = (x @ _GREY)[..., None]
    saturation = 0.0 if rng.random() < 0.08 else rng.uniform(0.4, 1.4)
    x = grey + saturation * (x - grey)
    x *= rng.normal(1, 0.07, 3).astype(np.float32)  # colour cast
    mean = float(grey.mean())
    x = mean + rng.uniform(0.6, 1.3) * (x - mean)
    x = x * rng.uniform(0.6, 1.3) + rng.uniform(-0.06, 0.06)
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.uniform(-0.35, 0.35)))
    return np.rint(x * 255).astype(np.uint8)


def _variation(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """A random affine map (2, 3) of a crop about its centre."""
    turn = np.deg2rad(rng.normal(0, 5))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shape = np.array([[rng.uniform(0.9, 1.1), rng.normal(0, 0.05)], [rng.normal(0, 0.03), 1.0]])  # aspect and shear
    linear = rng.uniform(0.87, 1.15) * rotation @ shape
    centre = np.full(2, side / 2)
    shift = rng.normal(0, 0.02 * side, 2)
    return np.column_stack([linear, centre + shift - linear @ centre])
