"""`gend train`: an experiment's file in, a folder with weights out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from gend.cli_terminal import experiments_table
from gend.errors import GendError

if TYPE_CHECKING:
    from gend.training.config import TrainingConfig

_EXPERIMENTS = Path("configs") / "train"


def train(
    config: Annotated[Path | None, typer.Argument(help="What to train: a file of configs/train, or your own.")] = None,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change.", show_default=False)
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the training.", show_default="runs/ and the file's name")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in the folder.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show what there is in configs/train.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Train a detector, or fine-tune one: LayerNorms, head, LoRA or everything."""
    if listed:
        Console().print(experiments_table(_EXPERIMENTS))
        return
    if config is None:
        raise typer.BadParameter("CONFIG is missing; --list shows what there is")

    from gend.experiments import load_experiment  # noqa: PLC0415
    from gend.training.config import TrainingConfig  # noqa: PLC0415

    def load(more: Sequence[str]) -> TrainingConfig:
        return load_experiment(config, TrainingConfig, [*(changes or ()), *more])

    settings, folder = load(()), out or Path("runs") / config.stem
    for library in ("torch", "lightning", "kornia", *(["peft"] if settings.model.tuning == "lora" else [])):
        if find_spec(library) is None:
            raise GendError(f"training needs {library}: pip install 'gend-monitor[torch,research]'")
    if settings.sweep:
        _sweep(load, folder, resume=resume, as_json=as_json)
        return

    from gend.training.run import train as run  # noqa: PLC0415  (Lightning takes seconds)

    trained = run(settings, folder, resume=resume, say=_say)
    if as_json:
        files = {"model": str(trained.model), "adapter": None if trained.adapter is None else str(trained.adapter)}
        print(json.dumps({"folder": str(folder), **files, "validation": dict(trained.figures), "steps": trained.steps}))
    else:
        print(f"{trained.model}: video AUROC {trained.figures['video_auroc']:.4f} on the validation")
        if trained.adapter is not None:
            print(f"{trained.adapter}: LayerNorms and head alone, {trained.adapter.stat().st_size / 1e6:.1f} MB")


def _sweep(load: Callable[[Sequence[str]], TrainingConfig], folder: Path, *, resume: bool, as_json: bool) -> None:
    from gend.training.sweep import run_sweep  # noqa: PLC0415  (Lightning takes seconds)

    members = run_sweep(load, folder, resume=resume, say=_say)
    if as_json:
        for member in members:
            print(json.dumps({"changes": member.changes, "validation": dict(member.figures)}))
        return
    table = Table("changed", *(name.replace("_", " ") for name in members[0].figures))
    for member in members:
        table.add_row(" ".join(member.changes), *(f"{value:.4f}" for value in member.figures.values()))
    Console().print(table)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
