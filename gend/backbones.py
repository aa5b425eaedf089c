"""The table of encoders: shape, normalisation, and what the released checkpoints call each tensor.

To add an encoder is to add a row here (and to `vit.py` what its kind of network needs on top).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gend.vit import ViTConfig


@dataclass(frozen=True, slots=True)
class Backbone:
    """One encoder, without its weights.

    Pictures are brought to its size by `preprocess.encoder_input`: shortest side resized by antialiased
    bicubic interpolation, then a centre crop.
    """

    name: str
    vit: ViTConfig
    mean: tuple[float, float, float]
    """Of RGB values scaled to 0 to 1."""
    std: tuple[float, float, float]
    released_as: str | None = None
    """The `backbone` in a released checkpoint's config.json; None where only we save such weights."""
    released_names: Callable[[ViTConfig], Mapping[str, str]] | None = None
    """Our name of each of the encoder's tensors → its name in a released checkpoint."""
    released_unused: frozenset[str] = frozenset()
    """Tensors a released checkpoint may carry though the detector does not use them."""
    notice: str | None = None
    """What must be said wherever its answers are shown."""

    @property
    def input_px(self) -> int:
        """Side of the square picture the encoder takes."""
        return self.vit.image_px


def clip_names(vit: ViTConfig) -> Mapping[str, str]:
    """Our name → CLIP's name as transformers 4 writes it (transformers 5 renames its modules; files keep these)."""
    names = {
        "class_token": "embeddings.class_embedding",
        "stem.project.weight": "embeddings.patch_embedding.weight",
        "positions": "embeddings.position_embedding.weight",
        "norm_pre.weight": "pre_layrnorm.weight",  # the misspelling is CLIP's
        "norm_pre.bias": "pre_layrnorm.bias",
        "norm.weight": "post_layernorm.weight",
        "norm.bias": "post_layernorm.bias",
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
    for layer in range(vit.layers):
        for ours, theirs in modules.items():
            for kind in ("weight", "bias"):
                names[f"blocks.{layer}.{ours}.{kind}"] = f"encoder.layers.{layer}.{theirs}.{kind}"
    return {ours: f"feature_extractor.vision_model.{theirs}" for ours, theirs in names.items()}


CLIP_VIT_LARGE_PATCH14 = Backbone(
    name="clip-vit-large-patch14",
    vit=ViTConfig(
        image_px=224,
        patch_px=14,
        width=1024,
        layers=24,
        heads=16,
        mlp_width=4096,
        norm_pre=True,
        activation="quick_gelu",
    ),
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    released_as="openai/clip-vit-large-patch14",
    released_names=clip_names,
    released_unused=frozenset({"feature_extractor.visual_projection.weight"}),
)

DEMO_VIT = Backbone(
    name="demo-vit",
    vit=ViTConfig(image_px=112, patch_px=16, width=192, layers=4, heads=3, mlp_width=768, stem="conv"),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    notice="demo encoder: not for real use",
)

BACKBONES: Mapping[str, Backbone] = {backbone.name: backbone for backbone in (CLIP_VIT_LARGE_PATCH14, DEMO_VIT)}
