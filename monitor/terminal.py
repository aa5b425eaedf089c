"""What a command shows on a terminal while it works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn


def recording_progress() -> Progress:
    """Bars for recordings, in seconds of them; on standard error, gone at the end, and only where somebody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    stderr = Console(stderr=True)
    return Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal)


@contextmanager
def work_progress() -> Iterator[Callable[[str, float], None]]:
    """A bar for each piece of work, shown as `recording_progress`; yields what is told of it, from any thread.

    It takes a description and the part of it that is done, 0 to 1.
    """
    with recording_progress() as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, part: float) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=part)

        yield tell
