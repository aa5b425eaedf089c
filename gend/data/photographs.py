"""Real crops out of photographs: the faces that may be learnt from, and patches of anything else in a face's place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gend.data.augment import vary_colour, vary_geometry
from gend.data.portraits import PORTRAITS, Portrait
from gend.data.sample import CONTEXT, Sample, jittered_landmarks
from gend.faces.align import alignment
from gend.fetch import load_picture

PATCH_PICTURES = ("brick", "camera", "cat", "coffee", "coins", "grass", "gravel", "rocket", "tissue")

_TRIES, _LEAST_DETAIL = 4, 2.5
"""Sky re-made at low resolution is still sky: look elsewhere, a few times."""


class Faces:
    """Photographed faces, aligned as the monitor aligns them.

    Raises:
        FetchError: a picture cannot be fetched.
        ValueError: one of the portraits is held out for the demo clip.
    """

    def __init__(self, portraits: Sequence[Portrait] | None = None) -> None:
        chosen = [portrait for portrait in PORTRAITS if not portrait.held_out] if portraits is None else portraits
        if held_out := [portrait.name for portrait in chosen if portrait.held_out]:
            raise ValueError(f"shown by the demo clip, hence not to be trained on: {', '.join(held_out)}")
        self._faces = [portrait.load() for portrait in chosen]

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One face, varied in geometry and colour, in a crop of `side` pixels."""
        picture, landmarks = self._faces[rng.integers(len(self._faces))]
        matrix, _ = alignment(landmarks, side, CONTEXT)
        varied = vary_geometry(rng, picture, landmarks, matrix, side)
        return Sample(vary_colour(rng, varied.picture), varied.landmarks)


class Patches:
    """Patches of photographs without a face, so that skin is not what real looks like.

    Raises:
        FetchError: a picture cannot be fetched.
    """

    def __init__(self, names: Sequence[str] = PATCH_PICTURES) -> None:
        self._pictures = [load_picture(name) for name in names]

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One patch at a random place, scale and angle, varied like a face, in a crop of `side` pixels."""
        for _ in range(_TRIES):
            patch = self._patch(rng, side)
            if _detail(patch.picture) > _LEAST_DETAIL:
                break
        return Sample(vary_colour(rng, patch.picture), patch.landmarks)

    def _patch(self, rng: np.random.Generator, side: int) -> Sample:
        picture = self._pictures[rng.integers(len(self._pictures))]
        matrix = _random_window(rng, picture, side)
        back = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))[:2]
        landmarks = jittered_landmarks(rng, side) @ back[:, :2].T + back[:, 2]
        return vary_geometry(rng, picture, landmarks.astype(np.float32), matrix, side)


def _detail(picture: NDArray[np.uint8]) -> float:
    """Mean step between neighbours, of 255, in the middle of the picture."""
    side = picture.shape[0]
    middle = picture[side // 4 : -side // 4, side // 4 : -side // 4].astype(np.int16)
    return float(np.abs(np.diff(middle, axis=1)).mean())


def _random_window(rng: np.random.Generator, picture: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """A map (2, 3) from a square window of the picture, turned at will, to a crop of `side` pixels."""
    height, width = picture.shape[:2]
    window_px = rng.uniform(0.5, 1.2) * min(side, height, width)
    scale = side / window_px
    turn = rng.uniform(-np.pi, np.pi)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    margin = window_px / 2
    centre = np.array([rng.uniform(margin, max(margin, n - margin)) for n in (width, height)])
    return np.column_stack([linear, np.full(2, side / 2) - linear @ centre])
