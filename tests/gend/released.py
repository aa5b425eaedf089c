"""Checkpoints shaped as the released ones, with weights anybody can make again from the tensors' names."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from gend.backbones import CLIP, Published
from gend.vit import ViTConfig

TOWER = "feature_extractor.vision_model"
UNUSED = "feature_extractor.visual_projection.weight"
TINY = CLIP(
    name="tiny",
    released_as="tests/tiny-clip",
    base="tests/tiny-clip",
    image_px=28,
    patch_px=14,
    width=32,
    layers=2,
    heads=2,
)


def clip_shapes(vit: ViTConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a released CLIP detector, by rule and without help from the mapping under test."""
    C, M = vit.width, vit.mlp_width
    shapes: dict[str, tuple[int, ...]] = {
        f"{TOWER}.embeddings.class_embedding": (C,),
        f"{TOWER}.embeddings.patch_embedding.weight": (C, 3, vit.patch_px, vit.patch_px),
        f"{TOWER}.embeddings.position_embedding.weight": (vit.tokens, C),
        UNUSED: (768, C),
        "model.linear.weight": (2, C),
        "model.linear.bias": (2,),
    }
    layers = [f"{TOWER}.encoder.layers.{layer}" for layer in range(vit.layers)]
    norms = [f"{layer}.layer_norm{i}" for layer in layers for i in (1, 2)]
    for norm in (f"{TOWER}.pre_layrnorm", f"{TOWER}.post_layernorm", *norms):
        shapes |= {f"{norm}.weight": (C,), f"{norm}.bias": (C,)}
    for layer in layers:
        for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= {f"{layer}.self_attn.{projection}.weight": (C, C), f"{layer}.self_attn.{projection}.bias": (C,)}
        shapes |= {f"{layer}.mlp.fc1.weight": (M, C), f"{layer}.mlp.fc1.bias": (M,)}
        shapes |= {f"{layer}.mlp.fc2.weight": (C, M), f"{layer}.mlp.fc2.bias": (C,)}
    return shapes


def standard_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(math.prod(shape)).astype(np.float32)
    z = z.reshape(shape)
    if len(shape) >= 2 and "weight" in name and "norm" not in name:
        z /= np.float32(math.sqrt(math.prod(shape[1:])))
    elif name.endswith("weight"):
        z = 1 + np.float32(0.1) * z
    elif "lambda" in name or "gamma" in name:
        z = np.float32(0.5) + np.float32(0.1) * z
    else:
        z *= np.float32(0.02)
    return torch.from_numpy(z)


def standard_tensors(vit: ViTConfig) -> dict[str, Tensor]:
    shapes = clip_shapes(vit)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(shapes, pool.map(standard_tensor, shapes.keys(), shapes.values()), strict=True))


def write_release(folder: Path, backbone: Published, tensors: Mapping[str, Tensor], head: str = "LinearNorm") -> Path:
    """A folder as on the hub: config.json and model.safetensors."""
    folder.mkdir(exist_ok=True)
    config = {"model_type": "GenD", "backbone": backbone.released_as, "head": head}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})  # as transformers writes it
    return folder


class Standard:
    """The standard weights of a detector as released, without a file of 1.2 GB."""

    metadata: Mapping[str, str] = {}

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = shapes

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for name, shape in self.shapes.items():
            yield name, standard_tensor(name, shape)

    def sha256(self) -> str:
        raise NotImplementedError
