"""One vision transformer for every encoder, to be read from top to bottom.

It carries the image towers of CLIP and PE, DINOv3 and the small demo encoder; what distinguishes them is a `ViTConfig`
(see `backbones.py`). Pictures come in normalised; loading and naming of weights is `checkpoint.py`'s.

Each LayerNorm can be given other scales and shifts for every picture of a batch, which is all that fine-tunes of one
encoder differ in: so one pass serves many of them (`adapter.py`).

Sources: Dosovitskiy et al. 2021 (ViT), Radford et al. 2021 (CLIP), Xiao et al. 2021 (convolutional stem), Su et al.
2021 (rotary positions), Bolya et al. 2025 (PE), Simeoni et al. 2025 (DINOv3), Touvron et al. 2021 (layer scale).
Axes in comments: B pictures, T tokens (the class token first, then registers, then patches), C width, H heads, D width
of a head, S picture side, G patches along a side, N LayerNorms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)
from torch.utils.checkpoint import checkpoint


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
    patch_bias: bool = False
    """Whether the convolution of the `patch` stem has one."""
    registers: int = 0
    """Tokens beside class and patches that belong to nothing in the picture (Darcet et al. 2024)."""
    positions_px: int | None = None
    """Side of the pictures whose positions were learned; resampled where that is not `image_px`. None: `image_px`."""
    learned_positions: bool = True
    """Whether tokens have learned positions added to them."""
    rotary: Literal["pe", "dinov3"] | None = None
    """How queries and keys are turned by their patch's place, if at all; see `rotation`."""
    norm_pre: bool = False
    """CLIP's LayerNorm between the embeddings and the first block."""
    key_bias: bool = True
    layer_scale: bool = False
    """Whether what a block adds is first multiplied by a learned vector."""
    activation: Literal["gelu", "quick_gelu"] = "gelu"
    pool: Literal["class", "attention"] = "class"
    """The picture's vector: its class token, or what a learned query gathers from all tokens."""
    pool_heads: int = 8
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        for px in (self.image_px, self.positions_px or self.image_px):
            if px % self.patch_px:
                raise ValueError(f"a picture of {px} px is no whole number of {self.patch_px} px patches")
        for heads in (self.heads, self.pool_heads if self.pool == "attention" else 1):
            if self.width % heads:
                raise ValueError(f"a width of {self.width} does not divide into {heads} heads")
        if self.rotary is not None and self.width // self.heads % 4:
            raise ValueError(f"heads of {self.width // self.heads} do not divide into pairs for rows and columns")
        if self.stem == "conv" and self.patch_px != ConvStem.STRIDE:
            raise ValueError(f"the convolutional stem makes patches of {ConvStem.STRIDE} px, not {self.patch_px}")

    @property
    def grid(self) -> int:
        """Patches along a side of the picture."""
        return self.image_px // self.patch_px

    @property
    def learned_grid(self) -> int:
        """Patches along a side of the pictures whose positions were learned."""
        return (self.positions_px or self.image_px) // self.patch_px

    @property
    def tokens(self) -> int:
        """Number of tokens: class token, registers, one per patch."""
        return 1 + self.registers + self.grid**2

    @property
    def norms(self) -> int:
        """Number of LayerNorms."""
        return 2 * self.layers + 1 + self.norm_pre + (self.pool == "attention")


class Norm(nn.LayerNorm):
    """LayerNorm, with scale and shift of its own or of each picture's fine-tune.

    Args:
        width: C.
        eps: added to the variance.
        index: which of the encoder's LayerNorms this is.
    """

    def __init__(self, width: int, eps: float, index: int) -> None:
        super().__init__(width, eps)
        self.index = index

    def forward(self, x: Tensor, tuned: Tensor | None = None) -> Tensor:
        """(B, T, C) → (B, T, C); `tuned` (B, N, 2, C) holds scales and shifts of all LayerNorms for each picture."""
        if tuned is None:
            return super().forward(x)
        scale, shift = tuned[:, self.index, :, None].unbind(1)  # (B, 1, C) each
        # In fp32 equal to the last bit to a LayerNorm that owns this scale and shift.
        return torch.addcmul(shift, F.layer_norm(x, self.normalized_shape, eps=self.eps), scale)


class PatchStem(nn.Module):
    """Cuts the picture into patches and projects each of them."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.project = nn.Conv2d(3, config.width, config.patch_px, stride=config.patch_px, bias=config.patch_bias)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, G*G, C)."""
        patches: Tensor = self.project(images)  # (B, C, G, G)
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
        """(B, 3, S, S) → (B, G*G, C)."""
        patches: Tensor = self.project(self.convolutions(images))  # (B, C, G, G)
        return patches.flatten(2).transpose(1, 2)


def rotation(config: ViTConfig, device: torch.device) -> Tensor:
    """By which angle each pair of a head's channels is turned at each patch, radians, float32 (G*G, D/2).

    Half of the pairs are turned by the patch's place along one axis, half along the other, each at a frequency of its
    own. `pe`: columns first; places are counted from 1 on the grid that was trained on. `dinov3`: rows first; places
    are the patches' middles, from -1 to 1.
    """
    quarter = config.width // config.heads // 4  # D/4
    steps = torch.arange(quarter, device=device) / quarter  # (D/4,)
    places = torch.arange(config.grid, device=device, dtype=torch.float32)  # (G,)
    if config.rotary == "pe":
        places = (places + 1) / config.grid * config.learned_grid
        frequencies = 10_000.0**-steps
    else:
        places = 2 * (places + 0.5) / config.grid - 1
        frequencies = 2 * math.pi * 100.0**-steps
    along = places[:, None] * frequencies  # (G, D/4)
    rows = along[:, None].expand(-1, config.grid, -1)  # (G, G, D/4)
    columns = along[None].expand(config.grid, -1, -1)
    return torch.cat([columns, rows] if config.rotary == "pe" else [rows, columns], dim=-1).flatten(0, 1)


class Rotary(nn.Module):
    """Turns queries and keys of the patches by their place, so that their product knows the distance."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, T, D) → (B, H, T, D); class token and registers stay as they are."""
        angles = F.pad(rotation(self.config, x.device), (0, 0, 1 + self.config.registers, 0))  # (T, D/2)
        if self.config.rotary == "pe":  # pairs of neighbours
            angles = angles.repeat_interleave(2, dim=-1)  # (T, D)
            turned = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
        else:  # pairs of a channel in the first half and one in the second
            angles = angles.tile(2)  # (T, D)
            first, second = x.chunk(2, dim=-1)
            turned = torch.cat([-second, first], dim=-1)
        return x * angles.cos().to(x) + turned * angles.sin().to(x)


class Attention(nn.Module):
    """Multi-head attention. Projections stay apart, so that few tokens may ask while all of them answer."""

    def __init__(self, config: ViTConfig, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width, bias=config.key_bias)
        self.value = nn.Linear(config.width, config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, asking: Tensor, tokens: Tensor, turn: Rotary | None = None) -> Tensor:
        """What each of `asking` (B, Q, C), the first Q tokens, gathers from `tokens` (B, T, C) → (B, Q, C)."""
        # Contiguous: a slice torch multiplies in another order where gradients are wanted than where they are not.
        q = self._split(self.query(asking.contiguous()))  # (B, H, Q, D)
        k = self._split(self.key(tokens))  # (B, H, T, D)
        v = self._split(self.value(tokens))  # (B, H, T, D)
        if turn is not None:
            k = turn(k)
            q = q if asking.shape[1] == 1 else turn(q)  # the class token has no place
        gathered = F.scaled_dot_product_attention(q, k, v)  # (B, H, Q, D)
        joined: Tensor = self.out(gathered.transpose(1, 2).flatten(2))  # (B, Q, C)
        return joined

    def _split(self, x: Tensor) -> Tensor:
        B, T, C = x.shape
        return x.view(B, T, self.heads, C // self.heads).transpose(1, 2)  # (B, H, T, D)


def quick_gelu(x: Tensor) -> Tensor:
    """X sigmoid(1.702 x), CLIP's activation; may overwrite x."""
    if x.requires_grad:  # the same, but one tensor is kept for the gradient, not two: 0.8 GB less for a ViT-L's step
        return F.silu(x.mul_(1.702)).div_(1.702)
    return x * torch.sigmoid(1.702 * x)


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
        x = quick_gelu(x) if self.quick else F.gelu(x)
        x = self.fc2(x)
        return x  # noqa: RET504  (the last step reads like the others)


class Scale(nn.Module):
    """Multiplies each channel by a learned number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T, C)."""
        return x * self.weight


class Block(nn.Module):
    """Attention, then MLP, each on normalised tokens and added to what was there."""

    def __init__(self, config: ViTConfig, first_norm: int) -> None:
        super().__init__()
        self.norm1 = Norm(config.width, config.norm_eps, first_norm)
        self.attention = Attention(config, config.heads)
        self.scale1 = Scale(config.width) if config.layer_scale else nn.Identity()
        self.norm2 = Norm(config.width, config.norm_eps, first_norm + 1)
        self.mlp = MLP(config)
        self.scale2 = Scale(config.width) if config.layer_scale else nn.Identity()
        self.turn = None if config.rotary is None else Rotary(config)

    def forward(self, x: Tensor, tuned: Tensor | None = None, *, class_only: bool = False) -> Tensor:
        """(B, T, C) → (B, T, C), or (B, 1, C): the class token alone, at a fraction of the cost."""
        normed = self.norm1(x, tuned)
        asking = normed
        if class_only:
            x, asking = x[:, :1], normed[:, :1]
        x = x + self.scale1(self.attention(asking, normed, self.turn))
        x = x + self.scale2(self.mlp(self.norm2(x, tuned)))
        return x  # noqa: RET504  (as above)


class AttentionPool(nn.Module):
    """A learned query gathers from all tokens, then an MLP (PE, after Zhai et al. 2022)."""

    def __init__(self, config: ViTConfig, norm: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(config.width))
        self.attention = Attention(config, config.pool_heads)
        self.norm = Norm(config.width, config.norm_eps, norm)
        self.mlp = MLP(config)

    def forward(self, tokens: Tensor, tuned: Tensor | None = None) -> Tensor:
        """(B, T, C) → (B, C)."""
        x = self.attention(self.query.expand(tokens.shape[0], 1, -1), tokens)  # (B, 1, C)
        x = x + self.mlp(self.norm(x, tuned))
        pooled: Tensor = x[:, 0]
        return pooled


class ViT(nn.Module):
    """Picture in, one vector out: the class token after the last block and LayerNorm, or the pool of all tokens."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = PatchStem(config) if config.stem == "patch" else ConvStem(config)
        self.class_token = nn.Parameter(torch.zeros(config.width))
        self.registers = nn.Parameter(torch.zeros(config.registers, config.width)) if config.registers else None
        learned = (1 + config.learned_grid**2, config.width)
        self.positions = nn.Parameter(torch.zeros(learned)) if config.learned_positions else None
        self.norm_pre = Norm(config.width, config.norm_eps, 0) if config.norm_pre else None
        self.blocks = nn.ModuleList(Block(config, config.norm_pre + 2 * layer) for layer in range(config.layers))
        after_blocks = config.norm_pre + 2 * config.layers
        self.norm = Norm(config.width, config.norm_eps, after_blocks)
        self.pool = AttentionPool(config, after_blocks + 1) if config.pool == "attention" else None
        self.checkpointing = False
        """Whether each block is computed again for its gradient instead of being remembered (Chen et al. 2016)."""
        self._initialise()

    def forward(self, images: Tensor, tuned: Tensor | None = None) -> Tensor:
        """The picture's feature.

        Where the class token is the feature, nobody reads the other tokens of the last block, so it computes the
        class token only. That changes nothing, neither values nor gradients, but the cost.

        Args:
            images: float (B, 3, S, S).
            tuned: scale and shift of each LayerNorm for each picture, float (B, N, 2, C); None for the encoder's own.

        Returns:
            Float (B, C).
        """
        if self.pool is not None:
            pooled: Tensor = self.pool(self.tokens(images, tuned), tuned)
            return pooled
        x = self._embed(images, tuned)  # (B, T, C)
        for block in self.blocks[:-1]:
            x = self._through(block, x, tuned)
        x = self.blocks[-1](x, tuned, class_only=True)  # (B, 1, C)
        feature: Tensor = self.norm(x, tuned)[:, 0]  # (B, C)
        return feature

    def tokens(self, images: Tensor, tuned: Tensor | None = None) -> Tensor:
        """Every token, (B, 3, S, S) float → (B, T, C); where there is no pool `tokens(x)[:, 0]` is `forward(x)`."""
        x = self._embed(images, tuned)
        for block in self.blocks:
            x = self._through(block, x, tuned)
        normed: Tensor = self.norm(x, tuned)
        return normed

    def norms(self) -> list[Norm]:
        """The LayerNorms in order of their `index`."""
        return sorted((module for module in self.modules() if isinstance(module, Norm)), key=lambda norm: norm.index)

    def _through(self, block: nn.Module, x: Tensor, tuned: Tensor | None) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            x = checkpoint(block, x, tuned, use_reentrant=False)
        else:
            x = block(x, tuned)
        return x

    def _embed(self, images: Tensor, tuned: Tensor | None) -> Tensor:
        x: Tensor = self.stem(images)  # (B, G*G, C)
        x = torch.cat([self.class_token.expand(x.shape[0], 1, -1), x], dim=1)  # (B, 1+G*G, C)
        if self.positions is not None:
            x = x + self._positions(self.positions)
        if self.registers is not None:
            x = torch.cat([x[:, :1], self.registers.expand(x.shape[0], -1, -1), x[:, 1:]], dim=1)  # (B, T, C)
        if self.norm_pre is not None:
            x = self.norm_pre(x, tuned)
        return x  # (B, T, C)

    def _positions(self, learned: Tensor) -> Tensor:
        """The class token's and the patches', (1+G*G, C), resampled where another grid was trained."""
        config = self.config
        if config.learned_grid == config.grid:
            return learned
        patches = learned[1:].float().T.reshape(1, config.width, config.learned_grid, -1)  # (1, C, G', G')
        size = (config.grid, config.grid)
        patches = F.interpolate(patches, size=size, mode="bicubic", antialias=True)  # (1, C, G, G)
        return torch.cat([learned[:1], patches[0].flatten(1).T.to(learned)])

    def _initialise(self) -> None:
        """Small normal weights, as ViTs are usually started; convolutions and norms keep torch's defaults."""
        query = None if self.pool is None else self.pool.query
        for parameter in (self.class_token, self.registers, self.positions, query):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
