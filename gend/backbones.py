"""The table of encoders: shape, normalisation, and what the files of others call each tensor.

A family is a dataclass, an encoder is a row of `BACKBONES`. To add one is to add a row here; a new family also needs
what its kind of network has on top in `vit.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from gend.resample import Interpolation
from gend.vit import ViTConfig

RGB = tuple[float, float, float]


class Place(NamedTuple):
    """Where a file of others keeps one of our tensors."""

    name: str
    part: int = 0
    """Which of `parts` equal pieces along the first axis: some keep queries, keys and values in one tensor."""
    parts: int = 1
    ones: int = 0
    """How many axes of length 1 theirs has in front of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone(ABC):
    """One encoder, without its weights.

    Pictures are brought to its size by `preprocess.encoder_input`: shortest side resized with antialiasing, then a
    centre crop.
    """

    name: str
    image_px: int
    patch_px: int
    width: int
    layers: int
    heads: int

    mean: ClassVar[RGB]
    """Of RGB values scaled to 0 to 1."""
    std: ClassVar[RGB]
    interpolation: ClassVar[Interpolation] = "bicubic"
    notice: ClassVar[str | None] = None
    """What must be said wherever its answers are shown."""

    @property
    @abstractmethod
    def vit(self) -> ViTConfig:
        """Its shape."""

    @property
    def input_px(self) -> int:
        """Side of the square picture the encoder takes."""
        return self.image_px


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Backbone):
    """An encoder that others published, and GenD detectors were released with."""

    released_as: str
    """The `backbone` in a released checkpoint's config.json."""
    base: str
    """Hub id of the encoder alone, to train from."""

    release_prefix: ClassVar[str]
    """What a released detector puts before the encoder's names."""
    release_unused: ClassVar[tuple[str, ...]] = ()
    """What it may carry besides, though the detector does not use it."""
    base_prefixes: ClassVar[tuple[str, ...]] = ("",)
    """What files of the encoder alone put before its names, one or the other."""
    base_unused: ClassVar[tuple[str, ...]] = ()
    """Beginnings of names that only such files have: of the head, or of the tower that reads text."""

    @abstractmethod
    def places(self) -> Mapping[str, Place]:
        """Our name of each of the encoder's tensors → where files have it, behind the prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CLIP(Published):
    """Image towers of CLIP (Radford et al. 2021), named as transformers names them in files."""

    mean: ClassVar[RGB] = (0.48145466, 0.4578275, 0.40821073)
    std: ClassVar[RGB] = (0.26862954, 0.26130258, 0.27577711)
    release_prefix: ClassVar[str] = "feature_extractor.vision_model."
    release_unused: ClassVar[tuple[str, ...]] = ("feature_extractor.visual_projection.weight",)
    base_prefixes: ClassVar[tuple[str, ...]] = ("vision_model.", "")
    base_unused: ClassVar[tuple[str, ...]] = (
        "text_model.",
        "text_projection.",
        "visual_projection.",
        "logit_scale",
        "vision_model.embeddings.position_ids",
    )

    @property
    def vit(self) -> ViTConfig:
        """Its shape."""
        return ViTConfig(
            image_px=self.image_px,
            patch_px=self.patch_px,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            mlp_width=4 * self.width,
            norm_pre=True,
            activation="quick_gelu",
        )

    def places(self) -> Mapping[str, Place]:
        """Our name of each tensor → where files have it."""
        places = {
            "class_token": Place("embeddings.class_embedding"),
            "stem.project.weight": Place("embeddings.patch_embedding.weight"),
            "positions": Place("embeddings.position_embedding.weight"),
            **_pair("norm_pre", "pre_layrnorm"),  # the misspelling is CLIP's
            **_pair("norm", "post_layernorm"),
        }
        modules = {
            "norm1": "layer_norm1",
            "attention.query": "self_attn.q_proj",
            "attention.key": "self_attn.k_proj",
            "attention.value": "self_attn.v_proj",
            "attention.out": "self_attn.out_proj",
            "norm2": "layer_norm2",
            "mlp.fc1": "mlp.fc1",
            "mlp.fc2": "mlp.fc2",
        }
        for layer in range(self.layers):
            for ours, theirs in modules.items():
                places |= _pair(f"blocks.{layer}.{ours}", f"encoder.layers.{layer}.{theirs}")
        return places


@dataclass(frozen=True, slots=True, kw_only=True)
class PE(Published):
    """PE core (Bolya et al. 2025), named as timm does; those for larger pictures run at 224 px, as GenD was trained."""

    positions_px: int

    mean: ClassVar[RGB] = (0.5, 0.5, 0.5)
    std: ClassVar[RGB] = (0.5, 0.5, 0.5)
    release_prefix: ClassVar[str] = "feature_extractor.backbone."
    base_unused: ClassVar[tuple[str, ...]] = ("head.",)

    @property
    def vit(self) -> ViTConfig:
        """Its shape."""
        return ViTConfig(
            image_px=self.image_px,
            patch_px=self.patch_px,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            mlp_width=4 * self.width,
            positions_px=self.positions_px,
            rotary="pe",
            norm_pre=True,
            pool="attention",
        )

    def places(self) -> Mapping[str, Place]:
        """Our name of each tensor → where files have it."""
        places = {
            "class_token": Place("cls_token", ones=2),
            "stem.project.weight": Place("patch_embed.proj.weight"),
            "positions": Place("pos_embed", ones=1),
            **_pair("norm_pre", "norm_pre"),
            **_pair("norm", "norm"),
            "pool.query": Place("attn_pool.latent", ones=2),
            **_pair("pool.attention.query", "attn_pool.q"),
            **_joined("pool.attention", ("key", "value"), "attn_pool.kv"),
            **_pair("pool.attention.out", "attn_pool.proj"),
            **_pair("pool.norm", "attn_pool.norm"),
            **_pair("pool.mlp.fc1", "attn_pool.mlp.fc1"),
            **_pair("pool.mlp.fc2", "attn_pool.mlp.fc2"),
        }
        for block in (f"blocks.{layer}" for layer in range(self.layers)):
            places |= _joined(f"{block}.attention", ("query", "key", "value"), f"{block}.attn.qkv")
            places |= _pair(f"{block}.attention.out", f"{block}.attn.proj")
            for same in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                places |= _pair(f"{block}.{same}", f"{block}.{same}")
        return places


@dataclass(frozen=True, slots=True, kw_only=True)
class DINOv3(Published):
    """DINOv3 (Simeoni et al. 2025), named as transformers names it in files."""

    mean: ClassVar[RGB] = (0.485, 0.456, 0.406)
    std: ClassVar[RGB] = (0.229, 0.224, 0.225)
    interpolation: ClassVar[Interpolation] = "bilinear"
    release_prefix: ClassVar[str] = "feature_extractor.backbone."
    release_unused: ClassVar[tuple[str, ...]] = ("feature_extractor.backbone.embeddings.mask_token",)
    base_unused: ClassVar[tuple[str, ...]] = ("embeddings.mask_token",)

    @property
    def vit(self) -> ViTConfig:
        """Its shape."""
        return ViTConfig(
            image_px=self.image_px,
            patch_px=self.patch_px,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            mlp_width=4 * self.width,
            patch_bias=True,
            registers=4,
            learned_positions=False,
            rotary="dinov3",
            key_bias=False,
            layer_scale=True,
        )

    def places(self) -> Mapping[str, Place]:
        """Our name of each tensor → where files have it."""
        places = {
            "class_token": Place("embeddings.cls_token", ones=2),
            "registers": Place("embeddings.register_tokens", ones=1),
            **_pair("stem.project", "embeddings.patch_embeddings"),
            **_pair("norm", "norm"),
        }
        modules = {
            "norm1": "norm1",
            "attention.query": "attention.q_proj",
            "attention.value": "attention.v_proj",
            "attention.out": "attention.o_proj",
            "norm2": "norm2",
            "mlp.fc1": "mlp.up_proj",
            "mlp.fc2": "mlp.down_proj",
        }
        for layer in range(self.layers):
            block, theirs = f"blocks.{layer}", f"layer.{layer}"
            places[f"{block}.attention.key.weight"] = Place(f"{theirs}.attention.k_proj.weight")
            places[f"{block}.scale1.weight"] = Place(f"{theirs}.layer_scale1.lambda1")
            places[f"{block}.scale2.weight"] = Place(f"{theirs}.layer_scale2.lambda1")
            for ours, name in modules.items():
                places |= _pair(f"{block}.{ours}", f"{theirs}.{name}")
        return places


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo(Backbone):
    """Small enough to be trained in minutes on a CPU and to be part of the package."""

    mean: ClassVar[RGB] = (0.5, 0.5, 0.5)
    std: ClassVar[RGB] = (0.25, 0.25, 0.25)
    notice: ClassVar[str | None] = "demo encoder: not for real use"

    @property
    def vit(self) -> ViTConfig:
        """Its shape."""
        return ViTConfig(
            image_px=self.image_px,
            patch_px=self.patch_px,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            mlp_width=4 * self.width,
            stem="conv",
        )


def _pair(ours: str, theirs: str) -> dict[str, Place]:
    """Weight and bias of a module."""
    return {f"{ours}.{kind}": Place(f"{theirs}.{kind}") for kind in ("weight", "bias")}


def _joined(ours: str, modules: Iterable[str], theirs: str) -> dict[str, Place]:
    """Weights and biases of modules of ours that are one of theirs."""
    names = list(modules)
    return {
        f"{ours}.{module}.{kind}": Place(f"{theirs}.{kind}", part, len(names))
        for part, module in enumerate(names)
        for kind in ("weight", "bias")
    }


CLIP_B_32 = CLIP(
    name="clip-vit-base-patch32",
    released_as="openai/clip-vit-base-patch32",
    base="openai/clip-vit-base-patch32",
    image_px=224,
    patch_px=32,
    width=768,
    layers=12,
    heads=12,
)
CLIP_B_16 = CLIP(
    name="clip-vit-base-patch16",
    released_as="openai/clip-vit-base-patch16",
    base="openai/clip-vit-base-patch16",
    image_px=224,
    patch_px=16,
    width=768,
    layers=12,
    heads=12,
)
CLIP_L_14 = CLIP(
    name="clip-vit-large-patch14",
    released_as="openai/clip-vit-large-patch14",
    base="openai/clip-vit-large-patch14",
    image_px=224,
    patch_px=14,
    width=1024,
    layers=24,
    heads=16,
)
CLIP_L_14_336 = CLIP(
    name="clip-vit-large-patch14-336",
    released_as="openai/clip-vit-large-patch14-336",
    base="openai/clip-vit-large-patch14-336",
    image_px=336,
    patch_px=14,
    width=1024,
    layers=24,
    heads=16,
)
PE_B_16 = PE(
    name="pe-core-base-patch16",
    released_as="vit_pe_core_base_patch16_224",
    base="timm/vit_pe_core_base_patch16_224.fb",
    image_px=224,
    positions_px=224,
    patch_px=16,
    width=768,
    layers=12,
    heads=12,
)
PE_L_14 = PE(
    name="pe-core-large-patch14",
    released_as="vit_pe_core_large_patch14_336",
    base="timm/vit_pe_core_large_patch14_336.fb",
    image_px=224,
    positions_px=336,
    patch_px=14,
    width=1024,
    layers=24,
    heads=16,
)
DINOV3_B_16 = DINOv3(
    name="dinov3-vit-base-patch16",
    released_as="facebook/dinov3-vitb16-pretrain-lvd1689m",
    base="facebook/dinov3-vitb16-pretrain-lvd1689m",
    image_px=224,
    patch_px=16,
    width=768,
    layers=12,
    heads=12,
)
DINOV3_L_16 = DINOv3(
    name="dinov3-vit-large-patch16",
    released_as="facebook/dinov3-vitl16-pretrain-lvd1689m",
    base="facebook/dinov3-vitl16-pretrain-lvd1689m",
    image_px=224,
    patch_px=16,
    width=1024,
    layers=24,
    heads=16,
)
DEMO_VIT = Demo(name="demo-vit", image_px=112, patch_px=16, width=192, layers=4, heads=3)

BACKBONES: Mapping[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        CLIP_B_32,
        CLIP_B_16,
        CLIP_L_14,
        CLIP_L_14_336,
        PE_B_16,
        PE_L_14,
        DINOV3_B_16,
        DINOV3_L_16,
        DEMO_VIT,
    )
}
