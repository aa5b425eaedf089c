"""How far long work has come, on a terminal's stderr; nothing anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

_MOST_LETTERS = 32
"""Of a file's name: the bar needs its place, too."""


class FileProgress:
    """Which file of how many, and which frame of it. A context manager.

    Args:
        files: how many there are.
        shown: False keeps silent even on a terminal.
    """

    def __init__(self, files: int, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(max_width=_MOST_LETTERS, no_wrap=True)),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # it would send results to stderr
            disable=not (shown and console.is_terminal),
        )
        self._files: TaskID | None = None
        if files > 1:
            self._files = self._progress.add_task("all files", total=files, unit="files")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def file(self, name: str) -> Iterator[_Frames]:
        """Shows a file while it is worked on, and counts it as done behind."""
        task = self._progress.add_task(escape(name), total=None, unit="frames")
        try:
            yield _Frames(self._progress, task)
        finally:
            self._progress.remove_task(task)
            if self._files is not None:
                self._progress.advance(self._files)


class _Frames:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, done: int, total: int) -> None:
        """Tells how many frames are done, and of how many."""
        self._progress.update(self._task, completed=done, total=total)
