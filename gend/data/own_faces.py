"""Real faces out of the user's own aligned crops: what pairs are made of where nobody has manipulated footage."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from gend.data.augment import vary_geometry
from gend.data.crop_files import REAL, CropFile
from gend.data.sample import Sample, aligned_landmarks
from gend.errors import PictureError
from gend.media import picture_at


class OwnFaces:
    """Crops of a tree, varied a little in place and size; light and colours stay those of the user's cameras.

    Args:
        crops: of real faces; others are left out.

    Raises:
        PictureError: there is no real one.
    """

    def __init__(self, crops: Sequence[CropFile]) -> None:
        self._crops = [crop for crop in crops if crop.label == REAL]
        if not self._crops:
            raise PictureError("no real crops to make pairs of (sources whose name contains `real` are real)")

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        """One face in a crop of `side` pixels. Raises `PictureError` where its file cannot be read."""
        crop = self._crops[rng.integers(len(self._crops))]
        picture = picture_at(crop.path)
        height, width = picture.shape[:2]
        if min(height, width) > side:  # else the warp would sample it with gaps
            picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            height = width = side
        matrix = np.array([[side / width, 0, 0], [0, side / height, 0]])
        landmarks = aligned_landmarks(1) * np.array((width, height), np.float32)
        return vary_geometry(rng, picture, landmarks, matrix, side)
