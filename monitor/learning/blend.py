"""Fakes of the user's own people, in their own light: crops blended with themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gend.data.sample import aligned_landmarks
from gend.data.selfblend import SelfBlend, self_blend
from monitor.messages import Crop


def manipulated(crop: Crop, rng: np.random.Generator) -> Crop:
    """The same face blended with itself."""
    pixels, _ = self_blend(crop.pixels, aligned_landmarks(crop.pixels.shape[0]), SelfBlend.draw(rng))
    return replace(crop, pixels=np.ascontiguousarray(pixels))
