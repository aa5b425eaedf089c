"""Detectors that need not be there: `optional: true` leaves out those whose file nobody has made yet."""

from __future__ import annotations

from pathlib import Path

from gend.engines.spec import Spec
from gend.errors import ConfigError
from gend.evaluation.config import Evaluation, GendDetector, TransformersDetector
from gend.evaluation.detectors.load import AnySection
from gend.locate import TORCH_SUFFIXES


def without_missing(config: Evaluation) -> tuple[Evaluation, list[str]]:
    """The evaluation without optional detectors whose file, or scores of an earlier run, are missing.

    A name of the hub is no file, and nor is a folder: where such weights cannot be had, that stays an error.

    Returns:
        The evaluation, and a line for each detector that is left out.

    Raises:
        ConfigError: no detector is left.
    """
    missing: dict[str, Path] = {}
    for name, section in config.beside.items():
        path = _missing(section) if config.scores is None else _absent(config.scores / name)
        if path is not None and not isinstance(section, TransformersDetector) and section.optional:
            missing[name] = path
    present = {name: section for name, section in config.beside.items() if name not in missing}
    told = [f"{name} is left out: {path}: no such file" for name, path in missing.items()]
    if config.weights is None and not present:
        raise ConfigError("\n".join(["no detector is there", *told]))
    return config.model_copy(update={"beside": present}), told


def _missing(section: AnySection) -> Path | None:
    if isinstance(section, TransformersDetector):
        return None
    if not isinstance(section, GendDetector):
        return _absent(section.file)
    weights = Path(Spec.parse(section.weights).weights).expanduser()
    found = _absent(weights) if weights.suffix in (".safetensors", *TORCH_SUFFIXES) else None
    return found or (None if section.adapter is None else _absent(section.adapter))


def _absent(path: Path) -> Path | None:
    return None if path.exists() else path
