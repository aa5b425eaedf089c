"""What several commands show at the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table


def say(kind: str, line: str) -> None:
    """One line of what is no result: a notice, a warning, an error."""
    print(f"{kind}: {line}", file=sys.stderr)


def experiments_table(folder: Path) -> Table:
    """The experiments of a folder, as `--list` shows them. Raises as `list_experiments`."""
    from gend.experiments import list_experiments  # noqa: PLC0415

    table = Table(Column("file", no_wrap=True), "what it is for")
    for path, about in list_experiments(folder):
        table.add_row(str(path), escape(about))
    return table
