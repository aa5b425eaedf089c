"""Reads the configuration file: YAML with variables in, a checked `MonitorConfig` or one line per fault out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gend.errors import ConfigError as GendConfigError
from gend.yaml_files import faults, parse_yaml, read_yaml
from monitor.config import MonitorConfig
from monitor.errors import ConfigError
from monitor.redact import redact

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> MonitorConfig:
    """Reads and checks a configuration file.

    Args:
        path: YAML file. `${NAME}` in any string is replaced by the environment variable of that name.
        environment: where the variables are looked up.

    Raises:
        ConfigError: one line per fault, each with the file and the field.
    """
    return _checked(lambda: read_yaml(path), str(path), environment)


def parse_config(text: str, name: str, environment: Mapping[str, str] = os.environ) -> MonitorConfig:
    """Checks the text of a configuration; `name` stands for the file in errors. Raises as `load_config`."""
    return _checked(lambda: parse_yaml(text, name), name, environment)


def _checked(read: Callable[[], dict[str, Any]], name: str, environment: Mapping[str, str]) -> MonitorConfig:
    try:
        tree = read()
    except GendConfigError as error:
        raise ConfigError(str(error)) from error
    missing: list[str] = []
    tree = _substitute(
        tree,
        (),
        environment,
        lambda at, variable: missing.append(f"{name}: {_place(at, tree)}: environment variable {variable} is not set"),
    )
    if missing:
        raise ConfigError("\n".join(missing))
    try:
        return MonitorConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(error, name, tree))) from error


def _substitute(
    node: Any,
    at: tuple[str | int, ...],
    environment: Mapping[str, str],
    missing: Callable[[tuple[str | int, ...], str], None],
) -> Any:
    """The tree with every `${NAME}` replaced; `missing` is told the place and name of what is not set."""
    if isinstance(node, dict):
        return {key: _substitute(value, (*at, key), environment, missing) for key, value in node.items()}
    if isinstance(node, list):
        return [_substitute(value, (*at, index), environment, missing) for index, value in enumerate(node)]
    if not isinstance(node, str):
        return node

    def look_up(match: re.Match[str]) -> str:
        if match.group(1) not in environment:
            missing(at, match.group(1))
        return environment.get(match.group(1), "")

    return _VARIABLE.sub(look_up, node)


def _lines(error: ValidationError, name: str, tree: dict[str, Any]) -> list[str]:
    """One line per fault: file, field (streams and targets by their name), what is wrong."""
    lines = []
    for at, what in faults(error):
        place = _place(at, tree)
        lines.append(redact(f"{name}: {place}: {what}" if place else f"{name}: {what}"))
    return lines


def _place(at: tuple[str | int, ...], tree: dict[str, Any]) -> str:
    """A field as people find it: `streams.lobby.url` rather than the stream's number; targets of `notify` as well."""
    place = [str(part) for part in at]
    if place[:1] in (["streams"], ["notify"]) and len(at) > 1 and isinstance(at[1], int):
        entry = tree[place[0]][at[1]]
        named = entry.get("name") if isinstance(entry, dict) else None
        place[1] = str(named) if named else place[1]
    return ".".join(place)
