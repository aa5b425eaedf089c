"""A fine-tune of an encoder as a file of its own: LayerNorms and head, 0.4 MB beside the encoder's 1.2 GB.

LN-tuning leaves everything else of the encoder as it was (arXiv 2508.06248), so that many fine-tunes can share one
encoder, and each crop of a batch can be judged by another of them. An adapter fits the encoder it was cut from and no
other; it carries that encoder's hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gend.engines import Bank
from gend.errors import WeightsError
from gend.tensor_files import sha256, write_whole

if TYPE_CHECKING:  # what is in a file, and what fits to it, is known without torch
    from gend.network import GenD

FORMAT_KEY = "gend_adapter"
FORMAT = "1"
_SHAPES = {"norms": "(N, 2, C)", "head_weight": "(2, C)", "head_bias": "(2,)"}

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A fine-tune. Axes: N LayerNorms, C width."""

    backbone: str
    """Name of the encoder's row in `BACKBONES`."""
    base_sha256: str
    """Of the tensors it shares with all fine-tunes of its encoder, as `base_sha256` computes it."""
    head_kind: Literal["LinearNorm", "linear"]
    norm_names: tuple[str, ...]
    """Of the LayerNorms, in the order of `norms`."""
    norms: Floats
    """Scale and shift of each LayerNorm, (N, 2, C)."""
    head_weight: Floats
    """(2, C)."""
    head_bias: Floats
    """(2,)."""
    training: Mapping[str, str] = field(default_factory=dict)
    """What is known of how it came about, for people."""
    licence: str = "unknown"

    def save(self, path: Path) -> None:
        """Writes it as one safetensors file, whole or not at all.

        Raises:
            WeightsError: It cannot be written.
        """
        metadata = {
            FORMAT_KEY: FORMAT,
            "backbone": self.backbone,
            "base_sha256": self.base_sha256,
            "head": self.head_kind,
            "norm_names": json.dumps(self.norm_names),
            "training": json.dumps(dict(self.training)),
            "licence": self.licence,
        }
        write_whole(path, partial(save_file, {name: getattr(self, name) for name in _SHAPES}, metadata=metadata))


def load_adapter(path: str | Path) -> Adapter:
    """Reads an adapter.

    Raises:
        WeightsError: It cannot be read, is no adapter, or one of its tensors is missing, of another shape or type, or
            not finite.
    """
    path = Path(path).expanduser()
    try:
        with safe_open(path, framework="np") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (not a mapping)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except (OSError, SafetensorError, TypeError) as error:
        raise WeightsError(f"{path}: not a whole safetensors file ({error})") from error
    if metadata.get(FORMAT_KEY) != FORMAT:
        found = metadata.get(FORMAT_KEY)
        what = "no adapter" if found is None else f"an adapter of format {found}, this version reads {FORMAT}"
        raise WeightsError(f"{path}: {what}; `gend adapter cut` makes one of a checkpoint")
    try:
        names = tuple(map(str, json.loads(metadata["norm_names"])))
        training = {str(key): str(value) for key, value in json.loads(metadata["training"]).items()}
        head = metadata["head"]
        adapter = Adapter(
            metadata["backbone"],
            metadata["base_sha256"],
            "linear" if head == "linear" else "LinearNorm",
            names,
            **{name: tensors[name] for name in _SHAPES},
            training=training,
            licence=metadata["licence"],
        )
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path}: damaged: {error} is missing or makes no sense") from error
    if tensors.keys() != _SHAPES.keys() or head not in ("linear", "LinearNorm"):
        raise WeightsError(f"{path}: damaged: its tensors are {', '.join(sorted(tensors))}, its head {head!r}")
    _check(path, adapter)
    return adapter


def cut_adapter(model: GenD, training: Mapping[str, str] | None = None, licence: str = "unknown") -> Adapter:
    """What makes a network this fine-tune and no other of its encoder.

    Args:
        model: fp32, with the weights of the fine-tune.
        training: what is known of how it came about.
        licence: of the fine-tune.
    """
    tuning = model.tuning()
    return Adapter(
        model.backbone.name,
        base_sha256({name: tensor.numpy() for name, tensor in model.frozen().items()}),
        model.head_kind,
        tuple(model.norms_by_name()),
        tuning.norms[0].numpy(),
        tuning.head_weight[0].numpy(),
        tuning.head_bias[0].numpy(),
        training or {},
        licence,
    )


def apply_adapter(model: GenD, adapter: Adapter, name: str) -> None:
    """Makes a network of the same encoder this fine-tune.

    Args:
        model: fp32; changed in place.
        adapter: the fine-tune.
        name: of the adapter, for the error.

    Raises:
        WeightsError: It was cut from another encoder.
    """
    check_same_encoder(adapter, cut_adapter(model), name)
    model.tune(adapter.norms, adapter.head_weight, adapter.head_bias)


def check_same_encoder(adapter: Adapter, own: Adapter, name: str) -> None:
    """Raises `WeightsError` where `adapter`, called `name`, does not fit the encoder that `own` was cut from."""
    if adapter.backbone != own.backbone:
        raise WeightsError(f"{name}: an adapter of {adapter.backbone}, and the encoder is {own.backbone}")
    if adapter.base_sha256 != own.base_sha256:
        raise WeightsError(
            f"{name}: an adapter of another {own.backbone}: cut from one with the hash {adapter.base_sha256[:16]}, "
            f"and this encoder's is {own.base_sha256[:16]}"
        )
    if adapter.norm_names != own.norm_names or adapter.norms.shape != own.norms.shape:
        raise WeightsError(f"{name}: damaged: its LayerNorms are not those of {own.backbone}")
    if adapter.head_kind != own.head_kind:
        raise WeightsError(f"{name}: its head is {adapter.head_kind}, and the encoder's {own.head_kind}")


def file_sha256(path: str | Path) -> str:
    """SHA-256 of an adapter's file, by which alerts name it. Raises `WeightsError` where it cannot be read."""
    return sha256([Path(path).expanduser()])


def base_sha256(frozen: Mapping[str, NDArray[np.generic]]) -> str:
    """A hash over what fine-tunes share: names, shapes, types and bytes of all tensors, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(frozen):
        tensor = np.ascontiguousarray(frozen[name])
        digest.update(f"{name} {tensor.shape} {tensor.dtype}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def bank(adapters: Iterable[Adapter]) -> Bank:
    """Fine-tunes of one encoder, ready to be mixed, in their order."""
    rows = list(adapters)
    return Bank(
        np.stack([row.norms for row in rows]),
        np.stack([row.head_weight for row in rows]),
        np.stack([row.head_bias for row in rows]),
    )


def _check(path: Path, adapter: Adapter) -> None:
    if adapter.norms.ndim != 3:
        raise WeightsError(f"{path}: damaged: norms {adapter.norms.shape} instead of {_SHAPES['norms']}")
    width = adapter.norms.shape[2]
    due = {"norms": (len(adapter.norm_names), 2, width), "head_weight": (2, width), "head_bias": (2,)}
    for name, shape in due.items():
        tensor: Floats = getattr(adapter, name)
        if tensor.shape != shape:
            raise WeightsError(f"{path}: damaged: {name} {tensor.shape} instead of {shape}")
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise WeightsError(f"{path}: damaged: {name} has values that are not finite float32 numbers")
