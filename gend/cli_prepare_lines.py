"""What `gend prepare` prints: lines while it works, tables or JSON when it is done."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gend.cli_terminal import say
from gend.data.extract import Extracted
from gend.data.outputs import Prepared
from gend.data.prepare import Watcher
from gend.data.source_videos import Problem, Severity, SourceVideo
from gend.progress import FileProgress

_MOST_LINES = 5
"""Of one kind, but for errors; the rest is counted."""
_ORDER = tuple(Severity)
_LABELS = ("real", "fake")


class Lines(Watcher):
    """Progress on a terminal, and a line for each thing that somebody should know. A context manager.

    Args:
        shown: False keeps progress silent even on a terminal.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._stack = ExitStack()
        self._progress: FileProgress | None = None
        self._files: dict[str, tuple[ExitStack, Any]] = {}
        self._done = self._total = 0
        self._lines: Counter[str] = Counter()
        self._told_of_pictures = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for stack, _ in self._files.values():
            stack.close()
        self._stack.close()

    def planned(self, done: int, todo: int) -> None:
        """As `Watcher.planned`; from here on there is progress."""
        self._done, self._total = done, done + todo
        if done:
            say("notice", f"{done} of {self._total} videos were done before")
        self._progress = self._stack.enter_context(FileProgress(todo, shown=self._shown))

    def began(self, video: SourceVideo) -> None:
        """As `Watcher.began`."""
        assert self._progress is not None, "planned"
        stack = ExitStack()
        self._files[video.key] = stack, stack.enter_context(self._progress.file(video.key.partition("/")[2]))

    def advanced(self, video: SourceVideo, done: int, total: int) -> None:
        """As `Watcher.advanced`."""
        self._files[video.key][1](done, total)

    def ended(self, video: SourceVideo, extracted: Extracted | None) -> None:
        """As `Watcher.ended`: says what is missing from a video."""
        self._files.pop(video.key)[0].close()
        if extracted is None:
            return
        self._done += 1
        if 1 < extracted.looked_at < len(video.files) and not self._told_of_pictures:
            self._told_of_pictures = True
            some = f"{extracted.looked_at} of its {len(video.files)} pictures were looked at, as a video's frames"
            say("notice", f"{Path(video.files[0]).parent}: {some}; photographs want --alone")
        kinds = Counter(problem.kind for problem in extracted.problems)
        if not extracted.records:
            why = ", ".join(f"{kind} in {number} of {extracted.looked_at} frames" for kind, number in kinds.items())
            self._say_some("skipped", "no crops", f"{video.files[0]}: no crops: {why}")
        elif kinds["damaged"] and len(video.files) == 1:
            some = f"{kinds['damaged']} of {extracted.looked_at} frames are damaged"
            self._say_some("skipped", "damaged", f"{video.files[0]}: {some}")

    def problem(self, problem: Problem) -> None:
        """As `Watcher.problem`."""
        if problem.severity == Severity.ERROR:
            say("error", str(problem))
        else:
            self._say_some(problem.severity, problem.kind, str(problem))

    def warning(self, line: str) -> None:
        """As `Watcher.warning`."""
        say("warning", line)

    def interrupted(self) -> None:
        """Says what Ctrl-C has left."""
        if self._total:
            say("interrupted", f"{self._done} of {self._total} videos are done; the same command goes on from there")

    def rest(self, prepared: Prepared) -> None:
        """What was not said yet, for there was too much of it, or it was not known."""
        for kind, number in self._lines.items():
            if number > _MOST_LINES:
                say("notice", f"{kind}: {number - _MOST_LINES} more; all are in {prepared.skipped}")
        if prepared.sources and all(source.label for source in prepared.sources):
            say("notice", "no source is called `real`: all of these crops count as manipulated")

    def _say_some(self, what: str, kind: str, line: str) -> None:
        self._lines[kind] += 1
        if self._lines[kind] <= _MOST_LINES:
            say(what, line)


def print_tables(prepared: Prepared) -> None:
    """What came of each source, what was skipped, and where everything lies."""
    console = Console()
    table = Table("source", "label", title=escape(f"{prepared.dataset}: {prepared.crops:,} crops"))
    for name in ("videos", "without a crop", "frames looked at", "crops"):
        table.add_column(name, justify="right")
    for source in prepared.sources:
        numbers = (source.videos + source.without_crops, source.without_crops, source.frames, source.crops)
        table.add_row(escape(source.source), _LABELS[source.label], *(f"{number:,}" for number in numbers))
    console.print(table)
    if prepared.problems:
        console.print(_problem_table(prepared))
    for name, path in (
        ("crops", prepared.out / prepared.dataset),
        *(("list", path) for path in prepared.lists),
        ("manifest", prepared.manifest),
        *([("skipped", prepared.skipped)] if prepared.problems else []),
    ):
        print(f"{name + ':':10}{path}")


def json_object(prepared: Prepared) -> dict[str, Any]:
    """All of it but the single frames, as JSON's types."""
    by_kind = Counter((str(problem.severity), problem.kind) for problem in prepared.problems)
    whole = [problem for problem in prepared.problems if problem.frame is None]
    return {
        "dataset": prepared.dataset,
        "out": str(prepared.out),
        "crops": prepared.crops,
        "sources": [{**asdict(source), "label": _LABELS[source.label]} for source in prepared.sources],
        "problems": [{"severity": what, "kind": kind, "count": n} for (what, kind), n in sorted(by_kind.items())],
        "files": [
            {"file": each.file, "severity": str(each.severity), "kind": each.kind, "detail": each.detail}
            for each in whole
        ],
        "lists": [str(path) for path in prepared.lists],
        "manifest": str(prepared.manifest),
        "skipped": str(prepared.skipped),
    }


def _problem_table(prepared: Prepared) -> Table:
    by_kind: dict[tuple[Severity, str], list[Problem]] = defaultdict(list)
    for problem in prepared.problems:
        by_kind[problem.severity, problem.kind].append(problem)
    table = Table("", "why")
    table.add_column("frames", justify="right")
    table.add_column("files", justify="right")
    table.add_column("for example")
    for (severity, kind), problems in sorted(by_kind.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1])):
        frames = sum(problem.frame is not None for problem in problems)
        files = len({problem.file for problem in problems})
        example = problems[0].file if problems[0].frame is None else f"{problems[0].file}, frame {problems[0].frame}"
        table.add_row(severity, kind, f"{frames:,}" if frames else "", f"{files:,}", escape(example))
    return table
