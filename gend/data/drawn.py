"""Drawn faces: no likeness of anyone, but skin, eyes, hair and a background where faces have them.

Photographed faces that may be learnt from are very few. These keep a network from knowing them by heart, and span what
must not count as fake: smooth skin and rough, make-up, beards, spectacles, a background out of focus.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.augment import vary_colour
from gend.data.leaves import add_texture, draw_leaves, fixed_point
from gend.data.sample import Sample, jittered_landmarks

_SUBPIXEL_BITS = 4
_SKIN = np.array([[246, 214, 190], [232, 188, 158], [205, 150, 115], [160, 108, 78], [104, 68, 50], [62, 42, 34]])
_HAIR = np.array([[24, 20, 18], [62, 42, 30], [110, 76, 46], [176, 138, 84], [150, 148, 146], [128, 58, 32]])
_ROUND = np.linspace(0, 2 * np.pi, 40, endpoint=False)


class DrawnFaces:
    """Faces made of shapes, each unlike the last."""

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One face in a crop of `side` pixels."""
        landmarks = jittered_landmarks(rng, side)
        canvas = _Canvas(rng, landmarks, _background(rng, side))
        canvas.body()
        canvas.hair(behind=True)
        canvas.head()
        canvas.eyes()
        canvas.nose()
        canvas.mouth()
        canvas.marks()
        canvas.hair(behind=False)
        return Sample(vary_colour(rng, canvas.picture), landmarks)


class _Canvas:
    """One face in the making; lengths are in distances between the eyes."""

    def __init__(self, rng: np.random.Generator, landmarks: NDArray[np.float32], background: NDArray[np.uint8]) -> None:
        self.picture = background
        self._rng = rng
        self._points = landmarks.astype(np.float64)
        self._unit = float(np.linalg.norm(self._points[1] - self._points[0]))
        self._eyes_centre = self._points[:2].mean(axis=0)
        self._mouth_centre = self._points[3:].mean(axis=0)
        self._skin = self._mixed(_SKIN)
        self._hair = self._mixed(_HAIR)
        self._oval = self._eyes_centre + self._unit * np.array([0, 0.45])
        self._oval_size = self._unit * np.array([rng.uniform(0.95, 1.15), rng.uniform(1.3, 1.55)])

    def body(self) -> None:
        """Neck and shoulders."""
        u = self._unit
        x, chin = self._oval[0], self._oval[1] + 0.7 * self._oval_size[1]
        neck = self._rng.uniform(0.5, 0.75) * u
        self._fill([(x - neck, chin), (x + neck, chin), (x + neck, chin + 2 * u), (x - neck, chin + 2 * u)], self._skin)
        collar = chin + self._rng.uniform(0.6, 1.0) * u
        cloth = self._rng.integers(0, 256, 3)
        wide = self._rng.uniform(1.5, 2.5) * u
        self._fill([(x - neck, collar), (x + neck, collar), (x + wide, collar + u), (x - wide, collar + u)], cloth)

    def hair(self, *, behind: bool) -> None:
        """A mass behind the head, or strands over the forehead and sides."""
        rng, u = self._rng, self._unit
        crown = self._oval - np.array([0, 0.25 * u])
        if behind:
            spread = self._oval_size * rng.uniform(1.05, 1.35, 2)
            self._fill(self._ellipse(crown, spread, roughness=0.05), self._hair)
        for _ in range(int(rng.integers(20, 90))):
            angle = rng.uniform(-np.pi, 0)
            root = crown + self._oval_size * np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.9, 1.2)
            fall = np.array([0.5 * np.cos(angle), rng.uniform(0.1, 0.8)]) * u * rng.uniform(0.3, 1.2)
            if not behind:
                fall *= 0.5
            bend = rng.normal(0, 0.1 * u, 2)
            self._line([root, root + fall / 2 + bend, root + fall], self._shade(self._hair, 25), width=0.03)

    def head(self) -> None:
        """The face's oval, lit from somewhere, with the texture of skin."""
        rng = self._rng
        self._fill(self._ellipse(self._oval, self._oval_size, roughness=0.02), self._skin)
        side = self.picture.shape[0]
        light = cv2.resize(rng.normal(0, 0.14, (3, 3)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        lit = np.clip(self.picture * (1 + light[..., None]), 0, 255).astype(np.uint8)
        # Rough skin and skin as smooth as a make-up artist's: both are real.
        self.picture = add_texture(rng, lit, rng.uniform(0, 12))

    def eyes(self) -> None:
        """Eyes open or nearly closed, brows, sometimes spectacles."""
        rng, u = self._rng, self._unit
        opening, iris_px = rng.uniform(0.03, 0.13), rng.uniform(0.08, 0.12)
        iris, brow = rng.integers(20, 160, 3), self._shade(self._hair, 20)
        gaze = rng.normal(0, 0.03 * u, 2) * (1, 0.4)
        brow_up, brow_width = rng.uniform(0.22, 0.4), rng.uniform(0.03, 0.1)
        spectacles = rng.random() < 0.2
        for eye in self._points[:2]:
            white = self._ellipse(eye, u * np.array([0.24, opening]))
            self._fill(white, rng.integers(190, 250, 3))
            self._fill(self._ellipse(eye + gaze, u * np.array([iris_px, min(iris_px, opening)])), iris)
            self._fill(self._ellipse(eye + gaze, u * np.array([0.045, min(0.045, opening)])), np.full(3, 12))
            self._fill(self._ellipse(eye + gaze + 0.03 * u, np.full(2, 0.018 * u)), np.full(3, 245))
            self._line(white[20:40], self._shade(self._skin * 0.35, 15), width=0.035)  # upper lid
            arch = [(-0.3, 0.04), (0.0, -0.06), (0.28, 0.03)]
            for _ in range(4):
                lift = np.array([0, brow_up + rng.normal(0, 0.02)])
                self._line([eye + u * (np.array(point) - lift) for point in arch], brow, width=brow_width)
            if spectacles:
                self._line(self._ellipse(eye, u * np.array([0.42, 0.32])), rng.integers(0, 90, 3), 0.04, closed=True)

    def nose(self) -> None:
        """A shaded ridge and two nostrils."""
        rng, u, tip = self._rng, self._unit, self._points[2]
        ridge = [
            self._eyes_centre + u * np.array([rng.normal(0.1, 0.05), 0.1]),
            tip + u * np.array([0.16, -0.1]),
            tip + u * np.array([0, 0.06]),
        ]
        self._line(ridge, self._skin * rng.uniform(0.6, 0.9), width=rng.uniform(0.02, 0.07))
        for across in (-0.12, 0.12):
            nostril = self._ellipse(tip + u * np.array([across, 0.08]), u * np.array([0.06, 0.03]))
            self._fill(nostril, self._skin * 0.35)

    def mouth(self) -> None:
        """Lips, sometimes teeth between them."""
        rng, u = self._rng, self._unit
        lips = np.clip(self._skin * (0.8, 0.6, 0.6) + rng.normal(0, 12, 3) + (rng.uniform(0, 50), 0, 0), 0, 255)
        half = 0.55 * float(np.linalg.norm(self._points[4] - self._points[3]))
        gap = rng.uniform(0.05, 0.13)
        self._fill(self._ellipse(self._mouth_centre, np.array([half, (gap + 0.06) * u])), lips)
        if rng.random() < 0.4:
            self._fill(
                self._ellipse(self._mouth_centre, np.array([0.85 * half, 0.6 * gap * u])), rng.integers(200, 250, 3)
            )
        middle = self._mouth_centre + u * np.array([0, rng.uniform(-0.05, 0.12)])
        self._line([self._points[3], middle, self._points[4]], lips * 0.4, width=0.025)

    def marks(self) -> None:
        """Wrinkles, freckles, stubble."""
        rng, u = self._rng, self._unit
        for _ in range(int(rng.integers(0, 9))):
            start = self._oval + rng.uniform(-0.8, 0.8, 2) * self._oval_size
            bends = start + np.cumsum(rng.normal(0, 0.12 * u, (3, 2)), axis=0)
            self._line(bends, self._shade(self._skin * rng.uniform(0.6, 0.95), 8), width=0.015)
        spots = rng.integers(0, 120) if rng.random() < 0.5 else 0
        lowest = rng.uniform(0.0, 0.9)  # a beard starts low, freckles are anywhere
        for across, down in zip(rng.normal(0, 0.45, spots), rng.uniform(lowest, 0.95, spots), strict=True):
            spot = self._oval + self._oval_size * (across, down)
            self._fill(
                self._ellipse(spot, np.full(2, rng.uniform(0.008, 0.025) * u)), self._skin * rng.uniform(0.3, 0.9)
            )

    def _mixed(self, palette: NDArray[np.int64]) -> NDArray[np.float64]:
        """A colour between two neighbours of a palette."""
        place = self._rng.uniform(0, len(palette) - 1)
        lower, share = int(place), place % 1
        return self._shade(palette[lower] * (1 - share) + palette[lower + 1] * share, 10)

    def _shade(self, colour: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        return np.asarray(np.clip(colour + self._rng.normal(0, spread), 0, 255), dtype=np.float64)

    def _ellipse(
        self, centre: NDArray[np.float64], half_size: NDArray[np.float64], roughness: float = 0.0
    ) -> NDArray[np.float64]:
        reach = 1 + self._rng.normal(0, roughness, (len(_ROUND), 1)) if roughness else 1.0
        return np.asarray(centre + half_size * reach * np.stack([np.cos(_ROUND), np.sin(_ROUND)], axis=1))

    def _fill(self, outline: object, colour: NDArray[np.generic]) -> None:
        points = fixed_point(np.asarray(outline, dtype=np.float64))
        cv2.fillPoly(self.picture, [points], colour.astype(float).tolist(), cv2.LINE_AA, _SUBPIXEL_BITS)

    def _line(self, points: object, colour: NDArray[np.generic], width: float, *, closed: bool = False) -> None:
        path = fixed_point(np.asarray(points, dtype=np.float64))
        thickness = max(1, round(width * self._unit))
        shade = colour.astype(float).tolist()
        cv2.polylines(self.picture, [path], closed, shade, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _background(rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Clutter, in focus or out of it, or a wall."""
    if rng.random() < 0.3:
        wall = cv2.resize(
            rng.integers(0, 256, (2, 2, 3)).astype(np.uint8), (side, side), interpolation=cv2.INTER_LINEAR
        )
        return add_texture(rng, wall.astype(np.uint8, copy=False), rng.uniform(0, 5))
    clutter = draw_leaves(rng, side)
    if rng.random() < 0.5:
        clutter = cv2.GaussianBlur(clutter, (0, 0), rng.uniform(0.005, 0.05) * side).astype(np.uint8, copy=False)
    return clutter
