"""From a name to a network with its weights, and back to a file.

Names of tensors are mapped explicitly and strictly: a tensor that is missing, unknown, of another shape or not
finite is an error that names it. The base encoder is never fetched, a checkpoint holds all there is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from gend.backbones import BACKBONES, Backbone
from gend.errors import WeightsError
from gend.hub import checkpoint_folder
from gend.network import GenD, Head
from gend.tensor_files import WHOLE, TensorFiles, read_json, weights_files

FORMAT_KEY = "gend_format"
FORMAT = "1"
DEMO_WEIGHTS = Path(__file__).parent / "weights" / "demo.safetensors"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_NAMED_AT_MOST = 3


class Checkpoint(NamedTuple):
    """A network with its weights, in evaluation mode on the CPU in fp32, and what they are."""

    model: GenD
    backbone: Backbone
    sha256: str
    """Of the weights file; of a sharded checkpoint, of its shards one after the other."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which network a checkpoint holds and how it names its tensors."""

    backbone: Backbone
    head: Head
    names: Mapping[str, str]
    """Our name → the file's."""
    unused: frozenset[str] = frozenset()


def load_checkpoint(weights: str | Path) -> Checkpoint:
    """Reads a GenD detector.

    Args:
        weights: `demo`, a folder (config.json with model.safetensors or its shards), a `.safetensors` file of ours
            or as released, or a hub id. A released file alone does not say its head: `LinearNorm`, as all
            released ones have, is taken.

    Raises:
        WeightsError: Where they cannot be found or read, or do not fit the network tensor by tensor.
    """
    config, paths = _locate(weights)
    files = TensorFiles(paths)
    layout = _layout(weights, config, files)
    with torch.device("meta"):  # no time is spent on first weights that are to be overwritten
        model = GenD(layout.backbone, layout.head)
    model.to_empty(device="cpu")
    _fill(model, files, layout, weights)
    return Checkpoint(model.eval(), layout.backbone, files.sha256())


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
        raise WeightsError(f"{path}: metadata may not set {_listed(claimed)}")
    tensors = {}
    for name, tensor in model.state_dict().items():
        stored = tensor.half() if half and tensor.is_floating_point() else tensor
        if not torch.isfinite(stored).all():
            raise WeightsError(f"{path}: tensor {name} is not finite")
        tensors[name] = stored.cpu().contiguous()
    unfinished = path.with_suffix(".unfinished")
    try:
        save_file(tensors, unfinished, metadata={**metadata, **own})
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be written ({error})") from error


def _locate(weights: str | Path) -> tuple[Path | None, list[Path]]:
    """The config.json, where there is one, and the files of tensors."""
    if weights == "demo":
        if not DEMO_WEIGHTS.is_file():
            raise WeightsError("demo: this installation lacks gend/weights/demo.safetensors")
        return None, [DEMO_WEIGHTS]
    path = Path(weights).expanduser()
    if path.is_dir():
        return path / "config.json", weights_files(path)
    if path.is_file():
        if path.suffix != ".safetensors":
            raise WeightsError(f"{weights}: not a .safetensors file; other formats are not read")
        beside = path.parent / "config.json"
        return beside if path.name == WHOLE and beside.is_file() else None, [path]
    if isinstance(weights, str) and _HUB_ID.fullmatch(weights) and path.suffix != ".safetensors":
        folder = checkpoint_folder(weights)
        return folder / "config.json", weights_files(folder)
    raise WeightsError(f"{weights}: no such file or folder (nor `demo`, nor a hub id of the form owner/name)")


def _layout(weights: str | Path, config: Path | None, files: TensorFiles) -> _Layout:
    if FORMAT_KEY in files.metadata:
        return _own_layout(weights, files.metadata)
    if config is not None:
        return _configured_layout(config)
    return _recognised_layout(weights, files)


def _own_layout(weights: str | Path, metadata: Mapping[str, str]) -> _Layout:
    """A file that `save_checkpoint` wrote."""
    if metadata[FORMAT_KEY] != FORMAT:
        raise WeightsError(f"{weights}: its {FORMAT_KEY} is {metadata[FORMAT_KEY]}; this version reads {FORMAT}")
    name = metadata.get("backbone", "none")
    if name not in BACKBONES:
        raise WeightsError(f"{weights}: unknown backbone {name}; known are {', '.join(BACKBONES)}")
    with torch.device("meta"):
        names = GenD(BACKBONES[name]).state_dict().keys()
    return _Layout(BACKBONES[name], _head(weights, metadata.get("head")), {name: name for name in names})


def _configured_layout(config: Path) -> _Layout:
    """A folder as released: config.json says which network it is."""
    settings = read_json(config)
    if settings.get("model_type") != "GenD":
        raise WeightsError(f"{config}: model_type is {settings.get('model_type')!r}, not 'GenD'")
    layouts = {layout.backbone.released_as: layout for layout in _released_layouts(_head(config, settings.get("head")))}
    name = settings.get("backbone")
    if not isinstance(name, str) or name not in layouts:
        raise WeightsError(f"{config}: backbone {name!r} is not supported; known are {_listed(map(str, layouts))}")
    return layouts[name]


def _recognised_layout(weights: str | Path, files: TensorFiles) -> _Layout:
    """A released file without its config.json: the encoder whose tensors it mostly has."""

    def share(layout: _Layout) -> float:
        return len(files.shapes.keys() & set(layout.names.values())) / len(layout.names)

    best = max(_released_layouts("LinearNorm"), key=share)
    if share(best) < 0.5:
        raise WeightsError(f"{weights}: its tensors are of no encoder known here")
    return best


def _released_layouts(head: Head) -> list[_Layout]:
    layouts = []
    for backbone in BACKBONES.values():
        if backbone.released_names is not None:
            names = {f"encoder.{ours}": theirs for ours, theirs in backbone.released_names(backbone.vit).items()}
            names |= {"head.weight": "model.linear.weight", "head.bias": "model.linear.bias"}
            layouts.append(_Layout(backbone, head, names, backbone.released_unused))
    return layouts


def _head(place: str | Path, name: object) -> Head:
    for head in get_args(Head):
        if name == head:
            return head  # type: ignore[no-any-return]  # one of Head's own values
    raise WeightsError(f"{place}: head {name!r} is not supported; known are {', '.join(get_args(Head))}")


def _fill(model: GenD, files: TensorFiles, layout: _Layout, weights: str | Path) -> None:
    """Copies every tensor to its place, and refuses whatever does not fit."""
    places = {layout.names[ours]: tensor for ours, tensor in model.state_dict().items()}
    if missing := places.keys() - files.shapes.keys():
        raise WeightsError(f"{weights}: missing tensors: {_listed(missing)}")
    if extra := files.shapes.keys() - places.keys() - layout.unused:
        raise WeightsError(f"{weights}: unknown tensors: {_listed(extra)}")
    shapes = {name: (files.shapes[name], tuple(place.shape)) for name, place in places.items()}
    if wrong := [f"{name} {found} instead of {due}" for name, (found, due) in shapes.items() if found != due]:
        raise WeightsError(f"{weights}: tensors of another shape: {_listed(wrong)}")
    unfit = []
    for name, tensor in files.tensors():
        if name in places:
            if tensor.is_floating_point() != places[name].is_floating_point() or not torch.isfinite(tensor).all():
                unfit.append(name)
            places[name].copy_(tensor)
    if unfit:
        raise WeightsError(f"{weights}: tensors with values that are not finite numbers: {_listed(unfit)}")


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = len(ordered) - _NAMED_AT_MOST
    return ", ".join(ordered[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
