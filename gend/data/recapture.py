"""A face filmed from a screen: grid and moiré, gamma, glow, bands of brightness, a slightly oblique view.

Moiré is what becomes of a screen's grid when another grid, the camera's, samples it. So it is not drawn: the grid of
red, green and blue stripes is sampled at the camera's pixels, as the view shows it, and folds over by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Light = NDArray[np.float32]
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
_SQUARE_ON: Corners = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Recapture:
    """One screen and one camera before it. Lengths are shares of the crop's sides."""

    corners: Corners = _SQUARE_ON
    """By how much the crop's corners move: top left, top right, bottom right, bottom left."""
    grid_per_px: float = 1.1
    """Pixels of the screen to one of the crop; near a whole number its grid folds to broad waves."""
    grid_turn_deg: float = 1.0
    grid: float = 0.08
    """Amplitude of the grid that the lens leaves, of the brightness."""
    gamma: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplies the channels: screens are bluer than faces."""
    veil: float = 0.0
    """Light of the room on the dark screen, of white."""
    glow: float = 0.0
    """A reflection, at its brightest, of white."""
    glow_at: tuple[float, float] = (0.3, 0.3)
    glow_size: float = 0.3
    bands: float = 0.0
    """Amplitude of bands across: the screen's refresh against the camera's shutter, which reads row by row."""
    band_period: float = 0.5
    band_phase: float = 0.0
    blur_px: float = 0.0
    """Standard deviation of the lens's blur."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Recapture:
        """One at random, of the strengths that leave a face well visible."""
        corners = tuple((float(x), float(y)) for x, y in rng.normal(0, 0.012, (4, 2)).clip(-0.03, 0.03))
        red, green, blue = (1 + rng.normal(0, 0.04), 1.0, 1 + rng.normal(0.04, 0.05))
        return cls(
            corners=cast("Corners", corners),
            grid_per_px=rng.uniform(0.85, 2.15),
            grid_turn_deg=rng.normal(0, 3),
            grid=rng.uniform(0.01, 0.12),
            gamma=float(np.exp(rng.uniform(-0.3, 0.3))),
            tint=(red, green, blue),
            veil=rng.uniform(0, 0.1),
            glow=rng.uniform(0.05, 0.3) if rng.random() < 0.4 else 0.0,
            glow_at=(rng.uniform(0, 1), rng.uniform(0, 1)),
            glow_size=rng.uniform(0.1, 0.4),
            bands=rng.uniform(0.02, 0.1) if rng.random() < 0.5 else 0.0,
            band_period=rng.uniform(0.3, 1.5),
            band_phase=rng.uniform(0, 1),
            blur_px=rng.uniform(0.4, 1.1) if rng.random() < 0.7 else 0.0,
        )

    def film(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """The pictures from the screen, RGB uint8 (h, w, 3), all of one size and all filmed alike."""
        height, width = pictures[0].shape[:2]
        grid, added = self._grid(height, width), self._added(height, width)
        curve = (255 * (np.arange(256) / 255) ** self.gamma).astype(np.float32)
        return [self._filmed(picture, curve, grid, added) for picture in pictures]

    def move(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the picture, float32 (h, w), moved as the picture is."""
        height, width = weight.shape
        moved = cv2.warpPerspective(weight, self._view(height, width), (width, height), borderMode=cv2.BORDER_REPLICATE)
        return moved.astype(np.float32, copy=False)

    def _view(self, height: int, width: int) -> NDArray[np.float64]:
        """The homography (3, 3) from picture to film."""
        size = np.array((width - 1, height - 1), dtype=np.float32)
        seen = _SQUARE + np.array(self.corners, dtype=np.float32)
        return np.asarray(cv2.getPerspectiveTransform(_SQUARE * size, seen * size), dtype=np.float64)

    def _filmed(self, picture: Pixels, curve: Light, grid: Light, added: Light) -> Pixels:
        height, width = picture.shape[:2]
        seen = cv2.warpPerspective(
            picture, self._view(height, width), (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        if self.blur_px:
            seen = cv2.GaussianBlur(seen, (0, 0), self.blur_px)
        shown = cv2.LUT(seen, curve)
        return cv2.add(cv2.multiply(shown, grid), added, dtype=cv2.CV_8U).astype(np.uint8, copy=False)  # saturates

    def _grid(self, height: int, width: int) -> Light:
        """What each channel is multiplied by, (h, w, 3): stripes of the screen, bands of the shutter, tint."""
        back = np.linalg.inv(self._view(height, width)).astype(np.float32)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
        on_screen_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
        on_screen_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
        turn = np.deg2rad(self.grid_turn_deg)
        across, down = np.float32(self.grid_per_px * np.cos(turn)), np.float32(self.grid_per_px * np.sin(turn))
        column = np.float32(2 * np.pi) * (across * on_screen_x - down * on_screen_y)
        row = np.float32(2 * np.pi) * (down * on_screen_x + across * on_screen_y)
        cos, sin = cv2.polarToCart(np.ones_like(column), column)
        rows = 1 + np.float32(self.grid / 2) * np.cos(row)
        phase = 2 * np.pi * (np.arange(height) / (self.band_period * height) + self.band_phase)
        rows *= (1 + self.bands * np.cos(phase)).astype(np.float32)[:, None]
        stripes = []
        for third, tint in enumerate(self.tint):
            # cos(column + a third of a turn for each colour beside the last)
            shift = 2 * np.pi * third / 3
            stripe = np.float32(np.cos(shift)) * cos - np.float32(np.sin(shift)) * sin
            stripes.append(rows * (np.float32(tint) + np.float32(tint * self.grid) * stripe))
        return np.asarray(cv2.merge(stripes) * np.float32(1 - self.veil), dtype=np.float32)

    def _added(self, height: int, width: int) -> Light:
        """Light that does not come from the screen, (h, w, 3), of 255."""
        y, x = (np.arange(height) / height - self.glow_at[1], np.arange(width) / width - self.glow_at[0])
        bell_y, bell_x = (np.exp(-(a * a) / (2 * self.glow_size**2)) for a in (y, x))
        light = 255 * (self.veil + self.glow * np.outer(bell_y, bell_x)).astype(np.float32)
        return cv2.merge([light, light, light]).astype(np.float32, copy=False)
