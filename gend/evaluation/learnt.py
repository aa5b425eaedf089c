"""What weights were trained on, as they say themselves: `gend train` writes its configuration into them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from gend.engines.exported import is_exported
from gend.engines.spec import Spec
from gend.errors import WeightsError
from gend.evaluation.config import GendDetector, TrainedOnSection
from gend.locate import locate

_CONFIGURATION = "configuration"
_TRAINING = "training"
"""Where an adapter keeps what is known of its training."""


def trained_on(section: GendDetector) -> TrainedOnSection | None:
    """The crops that weights, or their fine-tune, have learnt from; None where they name none.

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
        if isinstance(train.get("root"), str):
            lists = train.get("lists") or ()
            return TrainedOnSection(root=Path(train["root"]), lists=tuple(Path(str(each)) for each in lists))
    return None


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
