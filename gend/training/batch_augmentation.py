"""What varies a batch on its device, by kornia: place, blur, light.

Everything random comes from a seed of the step, drawn on the CPU, so that a training that is resumed goes on as it
would have, and does the same on every device.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from gend.training.config import AugmentationSection


class BatchAugmentation:
    """Callable: crops 0 to 255, uint8 (B, S, S, 3) → float32 (B, S, S, 3), 0 to 255.

    Args:
        how: what is done, and how strongly.
    """

    def __init__(self, how: AugmentationSection) -> None:
        import kornia.augmentation as K  # noqa: N812, PLC0415  (heavy; an extra)

        steps: list[Any] = []
        if how.degrees or how.translate or how.scale != (1.0, 1.0):
            moved = (how.translate, how.translate) if how.translate else None
            steps.append(K.RandomAffine(how.degrees, moved, how.scale, padding_mode="reflection", p=1.0))
        if how.blur.probability:
            kernel = (how.blur.kernel_px, how.blur.kernel_px)
            steps.append(K.RandomGaussianBlur(kernel, how.blur.sigma, p=how.blur.probability))
        if how.brightness:
            steps.append(K.RandomBrightness((1 - how.brightness, 1 + how.brightness), p=1.0))
        if how.contrast:
            steps.append(K.RandomContrast((1 - how.contrast, 1 + how.contrast), p=1.0))
        self._steps = K.AugmentationSequential(*steps, data_keys=["input"]) if steps else None

    @torch.no_grad()
    def __call__(self, crops: Tensor, seed: int) -> Tensor:
        """Varies each crop by itself."""
        if self._steps is None:
            return crops.float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            images = crops.permute(0, 3, 1, 2).float() / 255  # (B, 3, S, S)
            varied = cast("Tensor", self._steps(images)).clamp(0, 1)
        return varied.permute(0, 2, 3, 1) * 255
