"""What weights were trained on, as they say themselves: `gend train` writes its configuration into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from gend.data.overlap import Origin, origins
from gend.data.pair_sources import source_crops
from gend.data.selection import listed_crops
from gend.engines.exported import is_exported
from gend.engines.spec import Spec
from gend.errors import PictureError, WeightsError
from gend.evaluation.config import GendDetector
from gend.locate import locate

_CONFIGURATION = "configuration"
_TRAINING = "training"
"""Where an adapter keeps what is known of its training."""


def learnt_from(section: GendDetector) -> list[Origin]:
    """Where the crops come from that weights, or their fine-tune, have learnt from, as they are or as made pairs.

    Nothing where they name none, or what they name is not here.

    Raises:
        WeightsError: the weights are missing.
    """
    weights = Spec.parse(section.weights).weights
    files = [] if is_exported(weights) else locate(weights).files
    if section.adapter is not None:
        files = [section.adapter]  # what it was cut from is another's training
    for file in files:
        said = _metadata(file)
        train = _within(said if _CONFIGURATION in said else _parsed(said.get(_TRAINING)))
        pairs = _parsed(train.get("generate"))
        of = pairs or train
        if isinstance(of.get("root"), str):
            root, lists = Path(of["root"]).expanduser(), [Path(str(each)) for each in of.get("lists") or ()]
            try:
                return origins(root, source_crops(root, lists) if pairs else listed_crops(root, lists))
            except PictureError:  # trained elsewhere
                return []
    return []


def _metadata(file: Path) -> Mapping[str, Any]:
    if file.suffix != ".safetensors":
        return {}
    try:
        with safe_open(file, "numpy") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file}: cannot be read ({error})") from error


def _within(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The section of the training set."""
    section = _parsed(said.get(_CONFIGURATION))
    for name in ("data", "train"):
        inner = section.get(name)
        section = inner if isinstance(inner, dict) else {}
    return section


def _parsed(text: Any) -> Mapping[str, Any]:
    """A JSON object in a text; anybody may have written something else there."""
    try:
        content = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
