"""From a name to a network with its weights, and back to a file.

What is read: our own files; detectors as released (hub, folder, file); training checkpoints of their authors' code
(Lightning) and its TorchScript, neither of which is ever run; encoders alone, to train from. Names of tensors are
mapped explicitly and strictly (`layouts.py`): a tensor that is missing, unknown, of another shape or not finite is an
error that names it. The base encoder of a detector is never fetched, its checkpoint holds all there is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from gend.backbones import BACKBONES, Backbone, Published
from gend.errors import WeightsError
from gend.hub import checkpoint_folder
from gend.layouts import (
    FORMAT,
    FORMAT_KEY,
    Layout,
    configured_layout,
    file_shapes,
    fill,
    head_named,
    listed,
    own_layout,
    recognised_base,
    recognised_layout,
    released_layout,
)
from gend.network import GenD, Head
from gend.tensor_files import WHOLE, TensorFiles, Tensors, weights_files, write_whole
from gend.torch_files import TorchFile

DEMO_WEIGHTS = Path(__file__).parent / "weights" / "demo.safetensors"
TORCH_SUFFIXES = (".ckpt", ".torchscript", ".pt", ".pth", ".bin")
"""What torch saves is called so."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Checkpoint(NamedTuple):
    """A network with its weights, in evaluation mode on the CPU in fp32, and what they are."""

    model: GenD
    backbone: Backbone
    sha256: str
    """Of the weights file; of a sharded checkpoint, of its shards one after the other."""


class _Found(NamedTuple):
    """The files of a checkpoint."""

    files: Tensors
    config: Path | None
    """Its config.json, where there is one."""


def load_checkpoint(weights: str | Path, network: type[GenD] = GenD) -> Checkpoint:
    """Reads a GenD detector.

    Args:
        weights: `demo`, a hub id, a folder (config.json with model.safetensors or its shards), a `.safetensors` file
            of ours or as released, a Lightning `.ckpt`, or a `.torchscript`. A file alone may not say its head:
            then `LinearNorm`, as all released ones have, is taken.
        network: what to make of it.

    Raises:
        WeightsError: Where they cannot be found or read, or do not fit the network tensor by tensor.
    """
    found = _find(weights)
    return _built(weights, found.files, _layout(weights, found), network=network)


def load_encoder(base: str | Path, *, head: Head = "LinearNorm", seed: int = 0) -> Checkpoint:
    """Reads an encoder alone and gives it a head that knows nothing yet, to train from.

    Args:
        base: name of a row of `BACKBONES` (its own repository on the hub is taken), a hub id, a folder or a file.
        head: kind of head to put behind it.
        seed: of the head's first weights.

    Raises:
        WeightsError: As `load_checkpoint`.
    """
    known = BACKBONES.get(str(base))
    weights = known.base if isinstance(known, Published) else base
    files = _find(weights).files
    checkpoint = _built(weights, files, recognised_base(weights, files, head))
    width = checkpoint.backbone.width
    first = torch.randn(2, width, generator=torch.Generator().manual_seed(seed)) / width**0.5
    checkpoint.model.head.load_state_dict({"weight": first, "bias": torch.zeros(2)})
    return checkpoint


def save_checkpoint(model: GenD, path: Path, metadata: Mapping[str, str], *, half: bool = False) -> None:
    """Writes `model` as one safetensors file that `load_checkpoint` reads back.

    Args:
        model: Network to save.
        path: File to write, ending in `.safetensors`; replaced whole or not at all.
        metadata: What else the header is to say, for people.
        half: Store fp16, half the bytes. They are read back as fp32.

    Raises:
        WeightsError: Where a weight is not finite (in fp16: beyond 65,504), the metadata claims our own keys,
            or the file cannot be written.
    """
    own = {FORMAT_KEY: FORMAT, "backbone": model.backbone.name, "head": model.head_kind}
    if claimed := own.keys() & metadata.keys():
        raise WeightsError(f"{path}: metadata may not set {listed(claimed)}")
    tensors = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    _write(path, tensors, {**metadata, **own})


def save_release(model: GenD, folder: Path) -> None:
    """Writes `model` as its authors release it: config.json and model.safetensors, with their names of tensors.

    Args:
        model: Network to save, of a published encoder.
        folder: Made where it is missing; files of these names in it are replaced.

    Raises:
        WeightsError: Where the encoder is not one of theirs, a weight is not finite, or a file cannot be written.
    """
    backbone = model.backbone
    if not isinstance(backbone, Published):
        raise WeightsError(f"{folder}: {backbone.name} is no encoder of released detectors; save_checkpoint writes it")
    layout = released_layout(backbone, model.head_kind)
    parts: dict[str, list[tuple[int, Tensor]]] = {}
    for ours, tensor in model.state_dict().items():
        place = layout.places[ours]
        parts.setdefault(place.name, []).append((place.part, tensor))
    shapes = file_shapes(model, layout)
    tensors = {
        name: torch.cat([tensor for _, tensor in sorted(pieces, key=lambda piece: piece[0])]).reshape(shapes[name])
        for name, pieces in parts.items()
    }
    settings = {
        "architectures": ["GenD"],
        "backbone": backbone.released_as,
        "dtype": "float32",
        "head": model.head_kind,
        "model_type": "GenD",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error})") from error
    _write(folder / WHOLE, tensors, {"format": "pt"})


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: tensor {name} is not finite")
    stored = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, partial(save_file, stored, metadata=dict(metadata)))


def _built(weights: str | Path, files: Tensors, layout: Layout, *, network: type[GenD] = GenD) -> Checkpoint:
    with torch.device("meta"):  # no time is spent on first weights that are to be overwritten
        model = network(layout.backbone, layout.head)
    model.to_empty(device="cpu")
    fill(model, files, layout, weights)
    return Checkpoint(model.eval(), layout.backbone, files.sha256())


def _find(weights: str | Path) -> _Found:
    """The files that a name stands for."""
    if weights == "demo":
        if not DEMO_WEIGHTS.is_file():
            raise WeightsError("demo: this installation lacks gend/weights/demo.safetensors")
        return _Found(TensorFiles([DEMO_WEIGHTS]), None)
    path = Path(weights).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        if path.suffix in TORCH_SUFFIXES:
            return _Found(TorchFile(path), None)
        if path.suffix != ".safetensors":
            kinds = ", ".join((".safetensors", *TORCH_SUFFIXES))
            raise WeightsError(f"{weights}: not a file of weights by its ending; {kinds} are read")
        beside = path.parent / "config.json"
        return _Found(TensorFiles([path]), beside if path.name == WHOLE and beside.is_file() else None)
    looks_like_file = path.suffix in (".safetensors", *TORCH_SUFFIXES)
    if isinstance(weights, str) and _HUB_ID.fullmatch(weights) and not looks_like_file:
        return _in_folder(checkpoint_folder(weights))
    raise WeightsError(f"{weights}: no such file or folder (nor `demo`, nor a hub id of the form owner/name)")


def _in_folder(folder: Path) -> _Found:
    [first, *others] = weights_files(folder)
    config = folder / "config.json"
    if first.suffix in TORCH_SUFFIXES:
        return _Found(TorchFile(first), None)
    return _Found(TensorFiles([first, *others]), config if config.is_file() else None)


def _layout(weights: str | Path, found: _Found) -> Layout:
    if FORMAT_KEY in found.files.metadata:
        return own_layout(weights, found.files.metadata)
    if found.config is not None:
        return configured_layout(found.config)
    said = found.files.setting("head") if isinstance(found.files, TorchFile) else None
    return recognised_layout(weights, found.files, "LinearNorm" if said is None else head_named(weights, said))
