"""Which network a checkpoint holds, and where it keeps each of our tensors.

Nothing is guessed by likeness alone: names and shapes are mapped one by one, by the table in `backbones.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from gend.backbones import BACKBONES, Backbone, Place, Published
from gend.errors import WeightsError
from gend.network import GenD, Head
from gend.tensor_files import Tensors, read_json

FORMAT_KEY = "gend_format"
FORMAT = "1"
HEAD = {"head.weight": Place("model.linear.weight"), "head.bias": Place("model.linear.bias")}
"""Where released detectors keep the head."""
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Which network a checkpoint holds and where it keeps its tensors."""

    backbone: Backbone
    head: Head
    places: Mapping[str, Place]
    """Of each of our tensors that the file is to hold."""
    unused: tuple[str, ...] = ()
    """Beginnings of the names of what the file may hold besides."""


def own_layout(weights: str | Path, metadata: Mapping[str, str]) -> Layout:
    """A file of ours, which says itself what it holds."""
    if metadata[FORMAT_KEY] != FORMAT:
        raise WeightsError(f"{weights}: its {FORMAT_KEY} is {metadata[FORMAT_KEY]}; this version reads {FORMAT}")
    name = metadata.get("backbone", "none")
    if name not in BACKBONES:
        raise WeightsError(f"{weights}: unknown backbone {name}; known are {', '.join(BACKBONES)}")
    with torch.device("meta"):
        names = GenD(BACKBONES[name]).state_dict().keys()
    return Layout(BACKBONES[name], head_named(weights, metadata.get("head")), {name: Place(name) for name in names})


def configured_layout(config: Path) -> Layout:
    """A folder as released: config.json says which network it is."""
    settings = read_json(config)
    if settings.get("model_type") != "GenD":
        raise WeightsError(f"{config}: model_type is {settings.get('model_type')!r}, not 'GenD'")
    head = head_named(config, settings.get("head"))
    known = {backbone.released_as: backbone for backbone in published()}
    name = settings.get("backbone")
    if not isinstance(name, str) or name not in known:
        raise WeightsError(f"{config}: backbone {name!r} is not supported; known are {', '.join(known)}")
    return released_layout(known[name], head)


def released_layout(backbone: Published, head: Head, before: str = "") -> Layout:
    """A detector as its authors' code saves it, each name with `before` in front."""
    prefix = before + backbone.release_prefix
    places = {f"encoder.{ours}": _behind(prefix, place) for ours, place in backbone.places().items()}
    places |= {ours: _behind(before, place) for ours, place in HEAD.items()}
    return Layout(backbone, head, places, tuple(before + name for name in backbone.release_unused))


def base_layout(backbone: Published, head: Head, prefix: str) -> Layout:
    """An encoder alone, as its own authors published it. The file has no head; `head` is to stand behind it."""
    places = {f"encoder.{ours}": _behind(prefix, place) for ours, place in backbone.places().items()}
    return Layout(backbone, head, places, backbone.base_unused)


def recognised_layout(weights: str | Path, files: Tensors, head: Head) -> Layout:
    """A released file, or a training checkpoint, that does not say its encoder: the one whose tensors it has."""
    inside = [name for name in files.shapes if "feature_extractor." in name]
    before = inside[0].partition("feature_extractor.")[0] if inside else ""
    layouts = [released_layout(backbone, head, before) for backbone in published()]
    return _likeliest(weights, files, layouts)


def recognised_base(weights: str | Path, files: Tensors, head: Head) -> Layout:
    """A file of an encoder alone: the one whose tensors it has."""
    layouts = [base_layout(backbone, head, prefix) for backbone in published() for prefix in backbone.base_prefixes]
    return _likeliest(weights, files, layouts)


def published() -> list[Published]:
    """The encoders that others published."""
    return [backbone for backbone in BACKBONES.values() if isinstance(backbone, Published)]


def head_named(place: str | Path, name: object) -> Head:
    """A head by the name that files give it."""
    for head in get_args(Head):
        if name == head:
            return head  # type: ignore[no-any-return]  # one of Head's own values
    raise WeightsError(f"{place}: head {name!r} is not supported; known are {', '.join(get_args(Head))}")


def file_shapes(model: GenD, layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that a file of this layout holds."""
    shapes = {}
    for ours, tensor in model.state_dict().items():
        if ours in layout.places:
            place = layout.places[ours]
            length = () if not tensor.ndim else (tensor.shape[0] * place.parts, *tensor.shape[1:])
            shapes[place.name] = (1,) * place.ones + length
    return shapes


def fill(model: GenD, files: Tensors, layout: Layout, weights: str | Path) -> None:
    """Copies every tensor to its place, and refuses whatever does not fit.

    Raises:
        WeightsError: Where a tensor is missing, unknown, of another shape, or not finite; its name is said.
    """
    due = file_shapes(model, layout)
    if missing := due.keys() - files.shapes.keys():
        raise WeightsError(f"{weights}: missing tensors: {listed(missing)}")
    if extra := [name for name in files.shapes.keys() - due.keys() if not name.startswith(layout.unused)]:
        raise WeightsError(f"{weights}: unknown tensors: {listed(extra)}")
    shapes = {name: (files.shapes[name], shape) for name, shape in due.items()}
    if wrong := [f"{name} {found} instead of {shape}" for name, (found, shape) in shapes.items() if found != shape]:
        raise WeightsError(f"{weights}: tensors of another shape: {listed(wrong)}")
    asking: dict[str, list[str]] = {}
    for ours, place in layout.places.items():
        asking.setdefault(place.name, []).append(ours)
    places, unfit = model.state_dict(), []
    for name, tensor in files.tensors():
        for ours in asking.get(name, ()):
            target, place = places[ours], layout.places[ours]
            if tensor.is_floating_point() != target.is_floating_point() or not torch.isfinite(tensor).all():
                unfit.append(name)
                break
            target.copy_(_piece(tensor, place))
    if unfit:
        raise WeightsError(f"{weights}: tensors with values that are not finite numbers: {listed(unfit)}")


def listed(names: Iterable[str]) -> str:
    """A few of many names."""
    ordered = sorted(names)
    more = len(ordered) - _NAMED_AT_MOST
    return ", ".join(ordered[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _likeliest(weights: str | Path, files: Tensors, layouts: Iterable[Layout]) -> Layout:
    def share(layout: Layout) -> float:
        with torch.device("meta"):
            due = file_shapes(GenD(layout.backbone), layout)
        return sum(files.shapes.get(name) == shape for name, shape in due.items()) / len(due)

    best = max(layouts, key=share)
    if share(best) < 0.5:
        raise WeightsError(f"{weights}: its tensors are of no encoder known here")
    return best


def _behind(prefix: str, place: Place) -> Place:
    return place._replace(name=prefix + place.name)


def _piece(tensor: Tensor, place: Place) -> Tensor:
    for _ in range(place.ones):
        tensor = tensor[0]
    return tensor if place.parts == 1 else tensor.chunk(place.parts)[place.part]
