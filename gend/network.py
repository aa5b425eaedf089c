"""GenD's network: an encoder, the unit sphere, and a line through it (arXiv 2508.06248, section 3).

It knows tensors only; files are `checkpoint.py`'s, pictures of any size are `preprocess.py`'s, and what runs
it on which device is an engine's.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from gend.backbones import Backbone
from gend.vit import ViT

Head = Literal["LinearNorm", "linear"]
"""What stands between feature and linear layer: the unit sphere, or nothing. Named as in released config.json files."""


class GenD(nn.Module):
    """Encoder → feature on the unit sphere → two class logits, real and fake."""

    def __init__(self, backbone: Backbone, head_kind: Head = "LinearNorm") -> None:
        super().__init__()
        self.backbone = backbone
        self.head_kind: Head = head_kind
        self.encoder = ViT(backbone.vit)
        self.head = nn.Linear(backbone.vit.width, 2)

    def normalise(self, crops: Tensor) -> Tensor:
        """RGB crops 0 to 255 (B, S, S, 3), uint8 or float → what the encoder takes, float (B, 3, S, S).

        The constants are not folded into the first convolution: the stem pads with zeros, which must mean the
        mean colour, and beside the encoder's cost the subtraction is nothing.
        """
        dtype = self.head.weight.dtype
        mean = self.head.weight.new_tensor(self.backbone.mean)
        std = self.head.weight.new_tensor(self.backbone.std)
        return ((crops.to(dtype) / 255 - mean) / std).permute(0, 3, 1, 2)

    def place(self, features: Tensor) -> Tensor:
        """Encoder's features (B, C) → where the head looks at them, (B, C): on the unit sphere for `LinearNorm`."""
        return F.normalize(features, dim=-1) if self.head_kind == "LinearNorm" else features

    def forward(self, images: Tensor) -> Tensor:
        """Normalised pictures, float (B, 3, S, S) → class logits (B, 2): real, fake."""
        logits: Tensor = self.head(self.place(self.encoder(images)))
        return logits

    def log_odds(self, crops: Tensor) -> Tensor:
        """RGB crops 0 to 255 (B, S, S, 3) → log p(fake) - log p(real), (B,)."""
        logits: Tensor = self(self.normalise(crops))
        return logits[:, 1] - logits[:, 0]
