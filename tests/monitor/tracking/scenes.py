"""Faces that move as a test says, and frames to find them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from gend.faces import Face
from monitor.messages import Box, Detail, Pixels

# A frontal face in a box of width 1 and height 1.3, about where detectors put it.
_FRONTAL = np.array([[0.28, 0.45], [0.72, 0.45], [0.5, 0.72], [0.33, 0.98], [0.67, 0.98]])


def face_at(x: float, y: float, width: float = 100, *, confidence: float = 0.9, turn: float = 0) -> Face:
    """An upright face centred at (x, y); `turn` moves its nose by so many eye distances."""
    height = 1.3 * width
    landmarks = _FRONTAL + np.array([[0, 0], [0, 0], [turn * 0.44, 0], [0, 0], [0, 0]])
    corner = (x - width / 2, y - height / 2)
    return Face((*corner, x + width / 2, y + height / 2), (landmarks * width + corner).astype(np.float32), confidence)


def centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def textured(width: int = 1280, height: int = 720, *, blur: float = 0, seed: int = 0) -> Pixels:
    """Noise with detail at every scale, so that every part of it is sharp; `blur` is a Gaussian's sigma, pixels."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 128, np.float32)
    for step in (2, 8, 32):
        noise = rng.normal(0, 25, (height // step + 1, width // step + 1, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    if blur:
        picture = cv2.GaussianBlur(picture, (0, 0), blur).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)


@dataclass
class PictureFrame:
    """A `Frame` over an array, which remembers the regions asked of it."""

    picture: Pixels
    at_s: float = 0.0
    trusted: bool = True
    stream: str = "lobby"
    index: int = 0
    pts_s: float | None = None
    detail: Detail = "same"
    regions: list[Box] = field(default_factory=list)

    @property
    def width(self) -> int:
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        return int(self.picture.shape[0])

    def small(self, px: int) -> Pixels:
        scale = min(px / max(self.picture.shape[:2]), 1.0)
        size = (round(self.width * scale), round(self.height * scale))
        return cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)

    def luma(self, px: int) -> Pixels:
        return cv2.cvtColor(self.small(px), cv2.COLOR_RGB2GRAY).astype(np.uint8)

    def region(self, box: Box) -> tuple[Pixels, tuple[int, int]]:
        self.regions.append(box)
        x0, y0 = max(int(np.floor(box[0])), 0), max(int(np.floor(box[1])), 0)
        x1, y1 = min(int(np.ceil(box[2])), self.width), min(int(np.ceil(box[3])), self.height)
        return self.picture[y0:y1, x0:x1], (x0, y0)


class ScriptedDetector:
    """Finds what the test says is there now, given in pixels of the full frame."""

    name = "scripted"
    degraded: str | None = None

    def __init__(self, full_width: float, faces: Callable[[], Sequence[Face]]) -> None:
        self._full_width = full_width
        self._faces = faces

    def detect(self, picture: Pixels) -> list[Face]:
        scale = self._full_width / picture.shape[1]
        return [
            Face(
                (
                    face.box[0] / scale,
                    face.box[1] / scale,
                    face.box[2] / scale,
                    face.box[3] / scale,
                ),
                face.landmarks / np.float32(scale),
                face.confidence,
            )
            for face in self._faces()
        ]
