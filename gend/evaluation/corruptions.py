"""Pictures made worse, by kind and severity, to see how figures hold: the robustness suite.

What happens to a crop depends on the crop and the severity alone, noise included, so that a run may be cut off and
resumed, and detectors see the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gend.data.degrade import code_h264, code_jpeg

Pixels = NDArray[np.uint8]
Kind = Literal["jpeg", "blur", "resize", "noise", "h264"]
FilterName = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
FILTERS: tuple[FilterName, ...] = get_args(FilterName)
"""All that PIL has; each but `nearest` is antialiased."""

KINDS: dict[Kind, str] = {
    "jpeg": "JPEG quality",
    "blur": "Gaussian blur, sigma in pixels of a crop 256 wide",
    "resize": "longest side, pixels",
    "noise": "Gaussian noise, sigma of full scale",
    "h264": "H.264, CRF of x264",
}
"""What the severity of each is."""

_REFERENCE_PX = 256
_MOTION_PX = (1.5, 0.5)
"""Since the frame before, from which the coder predicts: a head at rest."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind at one severity."""

    kind: Kind
    severity: float
    filter: FilterName | None = None
    """Of `resize`."""

    @property
    def name(self) -> str:
        """For files and tables: `jpeg-50`, `resize-64-bicubic`."""
        return "-".join([self.kind, f"{self.severity:g}", *([self.filter] if self.filter else [])])

    def apply(self, crop: Pixels, seed: int) -> Pixels:
        """The crop made worse, RGB uint8; of its own size unless resized.

        Args:
            crop: RGB uint8 (h, w, 3).
            seed: of the noise.
        """
        if self.kind == "jpeg":
            return code_jpeg(crop, round(self.severity))
        if self.kind == "blur":
            sigma_px = self.severity * crop.shape[1] / _REFERENCE_PX
            return cv2.GaussianBlur(crop, (0, 0), sigma_px).astype(np.uint8, copy=False)
        if self.kind == "noise":
            noise = np.random.default_rng(seed).normal(0, 255 * self.severity, crop.shape)
            return np.rint(np.clip(crop + noise, 0, 255)).astype(np.uint8)
        if self.kind == "resize":
            return _resized(crop, round(self.severity), self.filter or "bicubic")
        return _through_h264(crop, round(self.severity))


def _resized(crop: Pixels, longest_px: int, name: FilterName) -> Pixels:
    height, width = crop.shape[:2]
    scale = longest_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(crop).resize(size, Image.Resampling[name.upper()]))


def _through_h264(crop: Pixels, crf: int) -> Pixels:
    """A crop as a part of a video: alone in its frame, since CRF spends alike on a part and on a whole."""
    height, width = crop.shape[:2]
    side = max(height, width)
    square = cv2.copyMakeBorder(crop, 0, side - height, 0, side - width, cv2.BORDER_REPLICATE)
    [coded] = code_h264([square.astype(np.uint8, copy=False)], crf, _MOTION_PX)
    return coded[:height, :width]
