"""YAML as configuration: strict about keys, with faults told by file, line and field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from gend.errors import ConfigError

Place = tuple[str | int, ...]
"""Of a field: the keys and list positions that lead to it."""

_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "model_type": "expected a section of settings",
    "dict_type": "expected a section of settings",
    "list_type": "expected a list",
}


class Fault(NamedTuple):
    """One thing that is wrong with a configuration."""

    place: Place
    what: str


def read_yaml(path: Path) -> dict[str, Any]:
    """The sections of a file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or holds something else; the line at fault is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot read: {getattr(error, 'strerror', None) or error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> dict[str, Any]:
    """The sections of a text; `name` stands for the file in errors. Raises as `read_yaml`."""
    tree = parse_yaml_value(text, name)
    if tree is None:
        raise ConfigError(f"{name}: the file is empty")
    if not isinstance(tree, dict):
        raise ConfigError(f"{name}: expected sections of settings, found {type(tree).__name__}")
    return tree


def parse_yaml_value(text: str, name: str) -> Any:
    """Whatever a text says, a bare number included. Raises as `read_yaml`."""
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(f"{where}: not YAML: {getattr(error, 'problem', None) or 'cannot parse'}") from error


def faults(error: ValidationError) -> Iterable[Fault]:
    """What a pydantic model found wrong, in words for people."""
    for each in error.errors(include_url=False, include_input=False):
        yield Fault(each["loc"], _WORDS.get(each["type"], each["msg"].removeprefix("Value error, ")))


class _StrictLoader(yaml.SafeLoader):
    """YAML allows a key twice and lets the last one win, silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not a word (quote `{…}`?)", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 takes `3e-4` for a word; whoever writes it means a number.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
