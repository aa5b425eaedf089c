"""GenD's network: an encoder, the unit sphere, and a line through it (arXiv 2508.06248, section 3).

It knows tensors only; files are `checkpoint.py`'s, pictures of any size are `preprocess.py`'s, and what runs
it on which device is an engine's.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from gend.backbones import Backbone
from gend.vit import ViT

Head = Literal["LinearNorm", "linear"]
"""What stands between feature and linear layer: the unit sphere, or nothing. Named as in released config.json files."""


class Tuning(NamedTuple):
    """All that fine-tunes of one encoder differ in, for each picture of a batch. Axes: N LayerNorms, C width."""

    norms: Tensor
    """Scale and shift of each LayerNorm, float (B, N, 2, C)."""
    head_weight: Tensor
    """Float (B, 2, C)."""
    head_bias: Tensor
    """Float (B, 2)."""


class GenD(nn.Module):
    """Encoder → feature on the unit sphere → two class logits, real and fake."""

    def __init__(self, backbone: Backbone, head_kind: Head = "LinearNorm") -> None:
        super().__init__()
        self.backbone = backbone
        self.head_kind: Head = head_kind
        self.encoder = ViT(backbone.vit)
        self.head = nn.Linear(backbone.width, 2)

    def normalise(self, crops: Tensor) -> Tensor:
        """RGB crops 0 to 255 (B, S, S, 3), uint8 or float → what the encoder takes, float (B, 3, S, S).

        The constants are not folded into the first convolution: the demo encoder's pads with zeros, which must mean
        the mean colour, and beside the encoder's cost the subtraction is nothing.
        """
        dtype = self.head.weight.dtype
        mean = self.head.weight.new_tensor(self.backbone.mean)[:, None, None]
        std = self.head.weight.new_tensor(self.backbone.std)[:, None, None]
        # Channels to the front while they are bytes: a third of the time, and the same numbers.
        return (crops.permute(0, 3, 1, 2).contiguous().to(dtype) / 255 - mean) / std

    def features(self, images: Tensor, norms: Tensor | None = None) -> Tensor:
        """The encoder's, (B, C), in the head's precision; `norms` as in `Tuning`."""
        own, dtype = self.encoder.class_token.dtype, self.head.weight.dtype
        features: Tensor = self.encoder(images.to(own), None if norms is None else norms.to(own))
        return features.to(dtype)

    def place(self, features: Tensor) -> Tensor:
        """Encoder's features (B, C) → where the head looks at them, (B, C): on the unit sphere for `LinearNorm`."""
        return F.normalize(features, dim=-1) if self.head_kind == "LinearNorm" else features

    def forward(self, images: Tensor, tuning: Tuning | None = None) -> Tensor:
        """Normalised pictures, float (B, 3, S, S) → class logits (B, 2): real, fake.

        With `tuning` each picture is judged by a fine-tune of its own. In fp32 that is equal, to the last bit, to
        passing the same batch through the network that has this fine-tune in its weights. The encoder may be of a
        lower precision than the head.
        """
        features = self.place(self.features(images, None if tuning is None else tuning.norms))  # (B, C)
        weight = self.head.weight if tuning is None else tuning.head_weight  # (2, C) or (B, 2, C)
        bias = self.head.bias if tuning is None else tuning.head_bias
        # Not a matrix product: that one's last bit depends on whether the batch shares its weights.
        return (features[:, None] * weight).sum(-1) + bias

    def log_odds(self, crops: Tensor, tuning: Tuning | None = None) -> Tensor:
        """RGB crops 0 to 255 (B, S, S, 3) → log p(fake) - log p(real), (B,)."""
        logits: Tensor = self(self.normalise(crops), tuning)
        return logits[:, 1] - logits[:, 0]

    def tuning(self) -> Tuning:
        """The network's own, for one picture (B = 1): copies, detached, float32 on the CPU."""
        norms = torch.stack([torch.stack([norm.weight, norm.bias]) for norm in self.encoder.norms()])
        parts = (norms, self.head.weight, self.head.bias)
        return Tuning(*(part.detach().float().cpu().clone()[None] for part in parts))

    def tune(self, norms: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Takes over a fine-tune: norms (N, 2, C), weight (2, C) and bias (2,) of the head."""
        with torch.no_grad():
            for norm, (scale, shift) in zip(self.encoder.norms(), torch.from_numpy(norms), strict=True):
                norm.weight.copy_(scale)
                norm.bias.copy_(shift)
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))

    def frozen(self) -> dict[str, Tensor]:
        """The tensors that fine-tunes share: all but those of `tuning`, by name."""
        tuned = {f"{name}.{kind}" for name, norm in self.norms_by_name().items() for kind in ("weight", "bias")}
        tuned |= {"head.weight", "head.bias"}
        return {name: tensor for name, tensor in self.state_dict().items() if name not in tuned}

    def norms_by_name(self) -> dict[str, nn.LayerNorm]:
        """The LayerNorms in the order of `Tuning.norms`, by the names of the modules."""
        names = {module: name for name, module in self.named_modules()}
        return {names[norm]: norm for norm in self.encoder.norms()}
