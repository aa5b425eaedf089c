"""One vision transformer for every encoder, to be read from top to bottom.

It carries CLIP's image tower and the small demo encoder; what distinguishes them is a `ViTConfig`
(see `backbones.py`). Pictures come in normalised; loading and naming of weights is `checkpoint.py`'s.

Sources: Dosovitskiy et al. 2021 (ViT), Radford et al. 2021 (CLIP), Xiao et al. 2021 (convolutional stem).
Axes in comments: B pictures, T tokens (the class token first), C width, H heads, D width of a head, S picture side.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)


@dataclass(frozen=True, slots=True)
class ViTConfig:
    """The shape of a vision transformer.

    Raises:
        ValueError: Where the picture is not a whole number of patches, or the width of heads.
    """

    image_px: int
    patch_px: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    stem: Literal["patch", "conv"] = "patch"
    """`patch`: one convolution, patches do not overlap. `conv`: four 3x3 convolutions of stride 2."""
    norm_pre: bool = False
    """CLIP's LayerNorm between the embeddings and the first block."""
    activation: Literal["gelu", "quick_gelu"] = "gelu"
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px:
            raise ValueError(f"a picture of {self.image_px} px is no whole number of {self.patch_px} px patches")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} does not divide into {self.heads} heads")
        if self.stem == "conv" and self.patch_px != ConvStem.STRIDE:
            raise ValueError(f"the convolutional stem makes patches of {ConvStem.STRIDE} px, not {self.patch_px}")

    @property
    def tokens(self) -> int:
        """Number of tokens: one per patch and the class token."""
        return (self.image_px // self.patch_px) ** 2 + 1


class PatchStem(nn.Module):
    """Cuts the picture into patches and projects each of them."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, config.width, config.patch_px, stride=config.patch_px, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, T-1, C)."""
        patches: Tensor = self.project(images)  # (B, C, S/P, S/P)
        return patches.flatten(2).transpose(1, 2)


class ConvStem(nn.Module):
    """Four 3x3 convolutions of stride 2, then a 1x1 (Xiao et al. 2021): learns fine texture with little training."""

    STRIDE = 16

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        widths = [3, config.width // 8, config.width // 4, config.width // 2, config.width]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.project = nn.Conv2d(config.width, config.width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, T-1, C)."""
        patches: Tensor = self.project(self.convolutions(images))  # (B, C, S/16, S/16)
        return patches.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head attention. Projections stay apart, so that few tokens may ask while all of them answer."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, asking: Tensor, tokens: Tensor) -> Tensor:
        """What each of `asking` (B, Q, C) gathers from `tokens` (B, T, C) → (B, Q, C)."""
        q = self._split(self.query(asking))  # (B, H, Q, D)
        k = self._split(self.key(tokens))  # (B, H, T, D)
        v = self._split(self.value(tokens))  # (B, H, T, D)
        gathered = F.scaled_dot_product_attention(q, k, v)  # (B, H, Q, D)
        joined: Tensor = self.out(gathered.transpose(1, 2).flatten(2))  # (B, Q, C)
        return joined

    def _split(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        return x.view(B, T, self.heads, C // self.heads).transpose(1, 2)  # (B, H, T, D)


class MLP(nn.Module):
    """Two layers applied to each token by itself."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.quick = config.activation == "quick_gelu"
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T, C)."""
        x = self.fc1(x)
        x = x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x)
        x = self.fc2(x)
        return x  # noqa: RET504  (the last step reads like the others)


class Block(nn.Module):
    """Attention, then MLP, each on normalised tokens and added to what was there."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, config.norm_eps)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, *, class_only: bool = False) -> Tensor:
        """(B, T, C) → (B, T, C), or (B, 1, C): the class token alone, at a fraction of the cost."""
        normed = self.norm1(x)
        asking = normed
        if class_only:
            x, asking = x[:, :1], normed[:, :1]
        x = x + self.attention(asking, normed)
        x = x + self.mlp(self.norm2(x))
        return x  # noqa: RET504  (as above)


class ViT(nn.Module):
    """Picture in, one vector out: the class token after the last block and LayerNorm."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = PatchStem(config) if config.stem == "patch" else ConvStem(config)
        self.class_token = nn.Parameter(torch.zeros(config.width))
        self.positions = nn.Parameter(torch.zeros(config.tokens, config.width))
        self.norm_pre = nn.LayerNorm(config.width, config.norm_eps) if config.norm_pre else nn.Identity()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, config.norm_eps)
        self._initialise()

    def forward(self, images: Tensor) -> Tensor:
        """The picture's feature, (B, 3, S, S) float → (B, C).

        Nobody reads the other tokens of the last block, so it computes the class token only. That changes
        nothing, neither values nor gradients, but the cost.
        """
        x = self._embed(images)  # (B, T, C)
        for block in self.blocks[:-1]:
            x = block(x)
        x = self.blocks[-1](x, class_only=True)  # (B, 1, C)
        feature: Tensor = self.norm(x[:, 0])  # (B, C)
        return feature

    def tokens(self, images: Tensor) -> Tensor:
        """Every token, (B, 3, S, S) float → (B, T, C); `tokens(images)[:, 0]` is `forward(images)`."""
        x = self._embed(images)
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed

    def _embed(self, images: Tensor) -> Tensor:
        patches = self.stem(images)  # (B, T-1, C)
        class_token = self.class_token.expand(len(images), 1, -1)  # (B, 1, C)
        x: Tensor = self.norm_pre(torch.cat([class_token, patches], dim=1) + self.positions)
        return x  # (B, T, C)

    def _initialise(self) -> None:
        """Small normal weights, as ViTs are usually started; convolutions and norms keep torch's defaults."""
        nn.init.trunc_normal_(self.class_token, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
