"""Dead-leaves pictures: opaque shapes of every size dropped on one another.

They share with photographs what matters to a detector of resolution, namely sharp edges at all scales, and there is
no end of them (Ruderman 1997; Baradad et al. 2021 learn vision from them).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.sample import Sample, jittered_landmarks

_SUBPIXEL_BITS = 4


class DeadLeaves:
    """Pictures of nothing in particular, with the edges of photographs."""

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One picture of `side` pixels, with landmarks where a face's would be."""
        return Sample(draw_leaves(rng, side), jittered_landmarks(rng, side))


def draw_leaves(rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """A dead-leaves picture, RGB uint8 (side, side, 3)."""
    count = int(rng.integers(60, 260))
    smallest, largest = 0.012 * side, rng.uniform(0.15, 0.5) * side
    # Areas by a power law: every octave of sizes covers about as much of the picture.
    radii = 1 / np.sqrt(rng.uniform(largest**-2, smallest**-2, count))
    radii[: count // 6] = rng.uniform(0.1 * side, largest, count // 6)  # large ones lie at the bottom
    centres = rng.uniform(-0.1 * side, 1.1 * side, (count, 2))
    palette = rng.integers(0, 256, (int(rng.integers(3, 12)), 3))
    colours = np.clip(palette[rng.integers(len(palette), size=count)] + rng.normal(0, 18, (count, 3)), 0, 255)
    picture = np.empty((side, side, 3), np.uint8)
    picture[:] = palette[0]
    for centre, radius, colour in zip(centres, radii, colours, strict=True):
        corners = int(rng.integers(3, 14))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = radius * rng.uniform(0.6, 1.2, (corners, 1))
        outline = centre + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(picture, [fixed_point(outline)], colour.tolist(), cv2.LINE_AA, _SUBPIXEL_BITS)
    return add_texture(rng, picture, rng.uniform(0, 14))


def add_texture(rng: np.random.Generator, picture: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
    """Adds noise at several scales, `strength` grey levels of it, as surfaces have."""
    side = picture.shape[0]
    texture = np.zeros((side, side), np.float32)
    for divisor in (1, 2, 5):
        small = rng.normal(0, rng.uniform(0, strength), (side // divisor + 1,) * 2).astype(np.float32)
        texture += cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(picture + texture[..., None], 0, 255), dtype=np.uint8)


def fixed_point(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points (n, 2) as OpenCV draws them between pixels: int32, in sixteenths of a pixel."""
    return np.asarray(np.rint(points * 2**_SUBPIXEL_BITS), dtype=np.int32)
