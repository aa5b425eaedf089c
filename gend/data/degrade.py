"""What cameras, calls and files do to pictures, done alike to both members of a pair.

A network that sees only one member compressed learns compression. So a degradation is drawn once, noise included, and
applied to both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.coding import decode, encode, to_frames, to_pixels

Pixels = NDArray[np.uint8]

_SOFTENED, _NOISY = 0.5, 0.5


@dataclass(frozen=True, slots=True)
class Capture:
    """What happens to a picture before it is coded: optics, an earlier life as a smaller picture, the sensor."""

    detail: float
    """Share of the resolution that is left, 0 to 1: focus, motion, a cheap lens, a picture that was enlarged."""
    by_blur: bool
    """Lose it by a Gaussian instead of by reducing and enlarging."""
    earlier_quality: int | None
    """JPEG quality of the reduced picture: what was enlarged had often been compressed before."""
    noise: float
    """Standard deviation of the sensor's noise, of 255."""
    grain_px: int
    """Size of the noise's grain."""
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator, least_detail: float) -> Capture:
        """One at random, that leaves at least `least_detail` of the resolution."""
        soft = rng.random() < _SOFTENED
        return cls(
            detail=rng.uniform(min(1.0, least_detail), 1.0) if soft else 1.0,
            by_blur=rng.random() < 0.4,
            earlier_quality=int(rng.integers(30, 95)) if rng.random() < 0.5 else None,
            noise=rng.uniform(0, 6) if rng.random() < _NOISY else 0.0,
            grain_px=int(rng.integers(1, 3)),
            seed=int(rng.integers(2**31)),
        )

    def soften(self, picture: Pixels) -> Pixels:
        """The picture through the lens, RGB uint8 (h, w, 3)."""
        if self.detail >= 1:
            return picture
        if self.by_blur:
            return cv2.GaussianBlur(picture, (0, 0), 0.6 / self.detail).astype(np.uint8, copy=False)
        height, width = picture.shape[:2]
        small = (max(1, round(width * self.detail)), max(1, round(height * self.detail)))
        reduced = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        if self.earlier_quality is not None:
            reduced = code_jpeg(reduced, self.earlier_quality)
        return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)

    def add_noise(self, picture: Pixels) -> Pixels:
        """The picture from the sensor, RGB uint8 (h, w, 3). The same noise each time it is asked."""
        if not self.noise:
            return picture
        height, width = picture.shape[:2]
        shape = (height // self.grain_px + 1, width // self.grain_px + 1, 3)
        noise = np.random.default_rng(self.seed).normal(0, self.noise, shape).astype(np.float32)
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        return np.asarray(np.clip(picture + noise, 0, 255), dtype=np.uint8)


def code_jpeg(picture: Pixels, quality: int) -> Pixels:
    """The picture out of a JPEG file of that quality, RGB uint8 (h, w, 3)."""
    _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None  # we have just encoded it
    return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)


def code_h264(pictures: Sequence[Pixels], crf: int, motion: tuple[float, float]) -> list[Pixels]:
    """The pictures as tiles of one frame of an H.264 video, coded from a frame before in which they stood elsewhere.

    Args:
        pictures: RGB uint8 (side, side, 3), all of one size.
        crf: strength of compression, as x264 counts it: 18 is hardly visible, 36 a bad call.
        motion: how far the pictures have moved since the frame before, pixels.

    Returns:
        As `pictures`, decoded from the second, predicted frame.
    """
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    side = pictures[0].shape[0]
    sheet = np.zeros((_even(rows * side), _even(columns * side), 3), np.uint8)
    corners = [(number // columns * side, number % columns * side) for number in range(len(pictures))]
    for (top, left), picture in zip(corners, pictures, strict=True):
        sheet[top : top + side, left : left + side] = picture
    move = np.array([[1, 0, -motion[0]], [0, 1, -motion[1]]])
    before = cv2.warpAffine(sheet, move, sheet.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(crf)}
    packets = encode(to_frames([before.astype(np.uint8, copy=False), sheet]), "h264", options)
    decoded = to_pixels(decode(packets, "h264")[-1])
    return [np.ascontiguousarray(decoded[top : top + side, left : left + side]) for top, left in corners]


def _even(px: int) -> int:
    """Up to the next even number: the colours of 4:2:0 lie on every other pixel."""
    return px + px % 2
