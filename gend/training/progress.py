"""How far a training has come: a bar on a terminal, a line after each validation anywhere, and a table in a file."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from torch import Tensor

_SHOWN_EVERY = 10
_SHOWN = ("loss", "video_ap", "video_auroc", "frame_auroc")


class TrainingProgress(Callback):
    """Tells people at the terminal.

    Args:
        say: told each epoch's figures, a line each.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._bar: Progress | None = None
        self._steps: TaskID | None = None
        self._begun_s = time.monotonic()
        self._losses: list[Tensor] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Shows the bar, on a terminal only."""
        console = Console(stderr=True)
        if not console.is_terminal or not trainer.is_global_zero:
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps  loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        total = int(trainer.estimated_stepping_batches)
        self._steps = self._bar.add_task("training", total=total, completed=trainer.global_step, loss=float("nan"))
        self._bar.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        self._losses.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)
        # Asking a GPU for a number waits for it.
        if self._bar is not None and self._steps is not None and batch_idx % _SHOWN_EVERY == 0:
            self._bar.update(self._steps, completed=trainer.global_step, loss=float(self._losses[-1]))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Says the epoch's line."""
        if not trainer.is_global_zero:
            return
        figures = trainer.callback_metrics
        told = "  ".join(f"{name.replace('_', ' ')} {float(figures[f'validation/{name}']):.4f}" for name in _SHOWN)
        learnt = float(torch.stack(self._losses).mean()) if self._losses else float("nan")
        self._losses.clear()
        minutes = (time.monotonic() - self._begun_s) / 60
        self._say(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {minutes:.1f} min  training loss {learnt:.4f}"
            f"  validation: {told}"
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Takes the bar away."""
        self._close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Takes the bar away."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class EpochLog(Callback):
    """Keeps the figures of each validation as a table; an epoch that is run again replaces its row.

    Args:
        path: CSV file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the epoch's row."""
        if not trainer.is_global_zero:
            return
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {"epoch": str(trainer.current_epoch + 1), "step": str(trainer.global_step)}
        row |= {name: f"{value:.6g}" for name, value in figures.items() if name.startswith("validation/")}
        rows = [each for each in self._rows() if int(each["epoch"]) <= trainer.current_epoch]
        with self._path.open("w", newline="") as file:
            table = csv.DictWriter(file, row)
            table.writeheader()
            table.writerows([*rows, row])

    def _rows(self) -> list[dict[str, str]]:
        if not self._path.is_file():
            return []
        with self._path.open(newline="") as file:
            return list(csv.DictReader(file))
