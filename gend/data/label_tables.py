"""Tables that come with a data set: JSON or CSV, with one row for each video, which says what it is.

JSON is one object whose keys name the rows, as DFDC's `metadata.json`, or a list of objects; CSV has a header.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gend.data.path_patterns import MissingFieldError, Template
from gend.errors import PictureError

Row = Mapping[str, str]


class LabelTable:
    """The rows of a table, by name. Empty cells are left out.

    Args:
        path: the file; `.json`, or else CSV.
        key: what a row is called, made of its columns; None where the keys of a JSON object say it.

    Raises:
        PictureError: it cannot be read, or lacks what names its rows.
    """

    def __init__(self, path: Path, key: Template | None) -> None:
        self.path = path
        self._rows: dict[str, Row] = {}
        self._contradictory: dict[str, str] = {}
        try:
            text = path.read_text(encoding="utf-8-sig")
            rows = _json_rows(text, key) if path.suffix.lower() == ".json" else _csv_rows(text, key)
            for name, row in rows:
                self._add(name, row)
        except FileNotFoundError as error:
            raise PictureError(f"{path}: no such label table") from error
        except MissingFieldError as error:
            raise PictureError(f"{path}: a row of this label table has no {error}, which names it") from error
        except (OSError, ValueError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise PictureError(f"{path}: cannot read this label table: {reason}") from error

    def row(self, name: str) -> Row:
        """The row of that name.

        Raises:
            PictureError: there is none, or there are several that contradict each other.
        """
        if name in self._contradictory:
            raise PictureError(f"{self.path.name} names it twice, with another {self._contradictory[name]}")
        if name not in self._rows:
            raise PictureError(f"{self.path.name} has no row for {name}")
        return self._rows[name]

    def _add(self, name: str, row: Row) -> None:
        before = self._rows.setdefault(name, row)
        if before != row:
            other = sorted(column for column in {*before, *row} if before.get(column) != row.get(column))
            self._contradictory[name] = ", ".join(other)


def _json_rows(text: str, key: Template | None) -> Iterable[tuple[str, Row]]:
    content = json.loads(text)
    if isinstance(content, dict):
        rows = [(name, _row(row)) for name, row in content.items()]
    elif isinstance(content, list) and key is not None:
        rows = [("", _row(row)) for row in content]
    else:
        raise ValueError("expected an object of rows, or a list of rows and a key in the layout")
    return rows if key is None else [(key.fill(row), row) for _, row in rows]


def _csv_rows(text: str, key: Template | None) -> Iterable[tuple[str, Row]]:
    if key is None:
        raise ValueError("for CSV the layout must say by `key` which columns name a row")
    for cells in csv.DictReader(text.splitlines()):
        row = _row(cells)
        yield key.fill(row), row


def _row(content: Any) -> Row:
    if not isinstance(content, dict):
        raise ValueError(f"expected rows of named columns, found {str(content)[:40]!r}")  # noqa: TRY004
    return {str(name): str(cell) for name, cell in content.items() if name and cell is not None and cell != ""}
