"""`gend test`: how well detectors tell real from fake, on sets of crops; a folder with a report comes out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from gend.cli_terminal import experiments_table, say
from gend.errors import ConfigError, GendError

if TYPE_CHECKING:
    from gend.evaluation.measuring import Row

_EVALUATIONS = Path("configs") / "eval"
_PIPE_COLUMNS = 120


def evaluate(
    config: Annotated[Path | None, typer.Argument(help="What to test: a file of configs/eval, or your own.")] = None,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings to change.", show_default=False)
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results.", show_default="runs/test- and the file's name")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show what there is in configs/eval.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Measure how well detectors tell real faces from fake ones, and write a report.

    Crops are scored once: in the same folder a second run takes the scores of the first.
    """
    if listed:
        Console().print(experiments_table(_EVALUATIONS))
        return
    if config is None:
        raise typer.BadParameter("CONFIG is missing; --list shows what there is")
    if find_spec("matplotlib") is None:
        raise GendError("the plots need matplotlib: pip install 'gend-monitor[research]'")

    from gend.evaluation.config import Evaluation  # noqa: PLC0415
    from gend.evaluation.optional import without_missing  # noqa: PLC0415
    from gend.experiments import load_experiment  # noqa: PLC0415

    settings, left_out = without_missing(load_experiment(config, Evaluation, changes or ()))
    for line in left_out:
        say("notice", line)
    folder = out or Path("runs") / f"test-{config.stem}"
    _make(folder)

    from gend.evaluation.report import write_report  # noqa: PLC0415  (matplotlib takes a second)
    from gend.evaluation.results import write_results  # noqa: PLC0415
    from gend.evaluation.run import evaluate as run  # noqa: PLC0415
    from gend.evaluation.run import parts  # noqa: PLC0415
    from gend.progress import FileProgress  # noqa: PLC0415

    with FileProgress(parts(settings), shown=True) as progress:
        results, judged = run(settings, folder, progress.file)
    write_results(results, folder)
    report = write_report(results, judged, folder)
    for notice in dict.fromkeys(notice for each in results.detectors for notice in each.identity.notices):
        say("notice", notice)
    if as_json:
        print(json.dumps(results.json_object()))
    else:
        # A pipe has no width; rich would take it for a narrow one.
        Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(_table(results.rows))
        print(report)
    if results.unreadable:
        for missed in results.unreadable:
            say("error", missed.why)
        raise typer.Exit(1)


def _make(folder: Path) -> None:
    """Tries the folder before hours of work go into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / ".trial"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        raise ConfigError(f"--out {folder}: cannot be written ({error.strerror})") from error


def _table(rows: Sequence[Row]) -> Table:
    several = len({row.detector for row in rows}) > 1
    names = Column("set"), *([Column("detector")] if several else [])
    numbers = (Column(name, justify="right", no_wrap=True) for name in _HEADS)
    caption = "videos, by the mean of their frames"
    table = Table(*names, *numbers, box=SIMPLE_HEAD, caption=caption, caption_justify="left")
    for row in rows:
        if (row.level, row.pooling) == ("video", "mean"):
            name = row.set if row.source is None else f"  {row.source}"
            detector = [escape(row.detector)] if several else []
            table.add_row(escape(name), *detector, str(row.real), str(row.fake), *_cells(row))
    return table


_HEADS = ("real", "fake", "AUROC", "95 %", "AP", "EER", "TPR@1%")


def _cells(row: Row) -> list[str]:
    found = row.figures
    if found is None:
        return ["one class"]
    low, high = row.spans.get("auroc", (None, None))
    span = "" if low is None else f"{low:.3f}-{high:.3f}"
    others = (found.average_precision, found.eer, found.tpr_at_fpr_1_percent)
    return [f"{found.auroc:.3f}", span, *(f"{value:.3f}" for value in others)]
