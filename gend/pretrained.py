"""The network as a torch module of one line, for those who know the authors' code.

    model = GenD.from_pretrained("yermandy/GenD_CLIP_L_14")
    logits = model(model.feature_extractor.preprocess(Image.open("face.png")).unsqueeze(0))

The picture is of a face, aligned and cut out, as there; `gend.model.Detector` finds faces by itself and is faster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gend.checkpoint import load_checkpoint, save_release
from gend.network import GenD as Network
from gend.preprocess import encoder_input


class GenD(Network):
    """A GenD detector: `forward` takes normalised pictures, float (B, 3, S, S), and gives logits (B, 2): real, fake."""

    @classmethod
    def from_pretrained(cls, weights: str | Path) -> Self:
        """Reads weights, in evaluation mode on the CPU in fp32.

        Args:
            weights: whatever `load_checkpoint` reads: a hub id, a folder, a file.

        Raises:
            WeightsError: As `load_checkpoint`.
        """
        model = load_checkpoint(weights, cls).model
        assert isinstance(model, cls)
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors, which `from_pretrained` reads, here and in the authors' code.

        Raises:
            WeightsError: As `save_release`.
        """
        save_release(self, Path(folder))

    @property
    def feature_extractor(self) -> Self:
        """The model itself: in the authors' code this part of it has `preprocess`."""
        return self

    def preprocess(self, picture: Image.Image) -> Tensor:
        """An aligned face of any size → what the encoder takes, float (3, S, S).

        Raises:
            PictureError: Where the picture is empty.
        """
        pixels = np.asarray(picture.convert("RGB"))
        crop = encoder_input(pixels, self.backbone.input_px, interpolation=self.backbone.interpolation, mode="exact")
        return self.normalise(torch.from_numpy(crop[None]))[0].detach()
