"""Paths with named fields: patterns that find them, and templates that are filled with them.

A pattern `fakes/{target}_{origin}.mp4` matches a path under the root and gives each field its text. A field stands for
anything within one folder's or file's name, as little as will do; `{folders:path}` for any folders, each with its
slash, or none; `{kind=swap}` for just that text; `*` for anything within a name; a field that stands twice must say
the same both times. A template `real/{target}` is filled with fields; `{original|stem}` leaves out the suffix of a
file's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_FIELD = re.compile(r"\{([A-Za-z_]\w*)(:path|\|stem|=[^{}/]+)?\}")


class MissingFieldError(Exception):
    """A template asks for a field that is not there or is empty; the argument is its name."""


class Pattern:
    """Finds paths.

    Raises:
        ValueError: it is not written as described above.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts, fields = [], list[str]()
        for literal, name, kind in _split(text):
            parts.append(re.escape(literal).replace(r"\*", "[^/]*"))
            if kind == "|stem":
                raise ValueError(f"|stem is for templates, not for patterns: {text}")
            if name in fields:
                parts.append(f"(?P={name})")
            elif name:
                fields.append(name)
                parts.append(f"(?P<{name}>{_expression(kind)})")
        self.fields = frozenset(fields)
        self._expression = re.compile("".join(parts))

    def match(self, path: str) -> dict[str, str] | None:
        """The text of each field; None where it is another path."""
        found = self._expression.fullmatch(path)
        return None if found is None else found.groupdict()


class Template:
    """Makes names out of fields.

    Raises:
        ValueError: it is not written as described above.
    """

    def __init__(self, text: str) -> None:
        self._parts = _split(text)
        if any(kind not in {"", "|stem"} for _, _, kind in self._parts):
            raise ValueError(f":path and = are for patterns, not for templates: {text}")
        self.fields = frozenset(name for _, name, _ in self._parts if name)

    def fill(self, fields: Mapping[str, str]) -> str:
        """The template with its fields filled in.

        Raises:
            MissingFieldError: there is no such field.
        """
        made = ""
        for literal, name, kind in self._parts:
            made += literal
            if name:
                if name not in fields:
                    raise MissingFieldError(name)
                made += PurePosixPath(fields[name]).stem if kind == "|stem" else fields[name]
        return made


def _expression(kind: str) -> str:
    """What a field may be."""
    if kind == ":path":
        return "(?:[^/]+/)*"
    return re.escape(kind[1:]) if kind else "[^/]+?"


def _split(text: str) -> list[tuple[str, str, str]]:
    """Literal text, name of the field behind it and what is said of the field; the last has no field."""
    parts, at = [], 0
    for field in _FIELD.finditer(text):
        parts.append((text[at : field.start()], field[1], field[2] or ""))
        at = field.end()
    parts.append((text[at:], "", ""))
    if any(brace in literal for literal, _, _ in parts for brace in "{}"):
        raise ValueError(f"expected fields such as {{name}}, {{folders:path}} or {{name|stem}}: {text}")
    return parts
