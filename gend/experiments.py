"""Experiments as files: a few lines of YAML that build on others, and words of a command line that change them.

    extends: base.yaml          # or a list of files, the later the stronger; paths start at this file
    losses: {uniformity: 0.5}   # sections are merged key by key, lists are replaced

A fault is told with the file, or the word, that said it, wherever in the chain it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gend.errors import ConfigError
from gend.yaml_files import Place, faults, parse_yaml_value, read_yaml

EXTENDS = "extends"

Experiment = TypeVar("Experiment", bound=BaseModel)


class Section(BaseModel):
    """Settings that belong together: unknown keys are errors, and nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def load_experiment(path: Path, kind: type[Experiment], changes: Sequence[str] = ()) -> Experiment:
    """Reads and checks an experiment.

    Args:
        path: the file.
        kind: what it must be.
        changes: words such as `optimiser.learning_rate=1e-4`; the value is read as YAML.

    Raises:
        ConfigError: one line per fault, each with the file or the word, and the field.
    """
    tree, said_by = _read(path, ())
    for change in changes:
        _change(tree, said_by, change)
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        lines = [f"{_origin(said_by, at) or path}: {_spelt(at)}: {what}" for at, what in faults(error)]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error


def list_experiments(folder: Path) -> list[tuple[Path, str]]:
    """The experiments of a folder and the folders in it, by name, with what each says of itself (`about`).

    A file without `about` of its own is there to be built upon, and left out.

    Raises:
        ConfigError: there is no such folder, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; experiments are found from the root of the project")
    found = [(path, read_yaml(path)) for path in sorted(folder.rglob("*.yaml"))]
    return [(path, str(content["about"])) for path, content in found if content.get("about")]


def _read(path: Path, from_files: tuple[Path, ...]) -> tuple[dict[str, Any], dict[Place, str]]:
    """The settings of a file and all that it extends, and which file said each."""
    if path.resolve() in from_files:
        raise ConfigError(f"{path}: extends itself, by way of {from_files[-1].name}")
    own = read_yaml(path)
    bases = own.pop(EXTENDS, [])
    tree: dict[str, Any] = {}
    said_by: dict[Place, str] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        if not isinstance(base, str):
            raise ConfigError(f"{path}: {EXTENDS}: expected the name of a file, found {base!r}")
        settings, origins = _read(path.parent / base, (*from_files, path.resolve()))
        _merge(tree, settings)
        said_by |= origins
    _merge(tree, own)
    return tree, said_by | {place: str(path) for place in _places(own)}


def _merge(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Puts settings over others, section by section."""
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _change(tree: dict[str, Any], said_by: dict[Place, str], change: str) -> None:
    name, equals, text = change.partition("=")
    keys = name.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"{change}: expected section.key=value")
    section = tree
    for depth, key in enumerate(keys[:-1]):
        inner = section.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{change}: {'.'.join(keys[: depth + 1])} is no section")
        section = inner
    section[keys[-1]] = parse_yaml_value(text, change)
    said_by[tuple(keys)] = change


def _places(tree: Mapping[str, Any], at: Place = ()) -> list[Place]:
    places: list[Place] = []
    for key, value in tree.items():
        places.append((*at, key))
        if isinstance(value, dict):
            places += _places(value, (*at, key))
    return places


def _origin(said_by: Mapping[Place, str], at: Place) -> str | None:
    """Who said it, or the section around it."""
    return next((said_by[at[:length]] for length in range(len(at), 0, -1) if at[:length] in said_by), None)


def _spelt(at: Place) -> str:
    return ".".join(map(str, at)) or "the whole"
