"""What a training keeps on disk while it runs: whole files, at moments from which it can be gone on with."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from gend.errors import GendError
from gend.training.config import TrainingConfig
from gend.whole_files import written_whole

_LAST, _BEST = "last", "best"


def last_checkpoint(folder: Path) -> Path:
    """The file to go on from, in a folder of checkpoints."""
    return folder / f"{_LAST}.ckpt"


def best_checkpoint(folder: Path) -> Path:
    """The file of the epoch that the validation liked best."""
    return folder / f"{_BEST}.ckpt"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Tensors and plain values; a pickle of anything else is refused.

    Raises:
        GendError: it cannot be read.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise GendError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    return found


def keepers(config: TrainingConfig, folder: Path) -> list[Callback]:
    """What keeps checkpoints in a folder, the average of weights, and an eye on when to end."""
    run = config.run
    better = "min" if run.best == "loss" else "max"
    watched = f"validation/{run.best}"
    kept: list[Callback] = [
        ModelCheckpoint(folder, _BEST, monitor=watched, mode=better, enable_version_counter=False),
        _WithinEpochs(folder, _LAST, every_n_train_steps=run.keep_every_steps, enable_version_counter=False),
        ModelCheckpoint(folder, _LAST, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False),
    ]
    if run.patience is not None:
        kept.append(_Patience(watched, patience=run.patience, mode=better))
    if config.optimiser.averaging is not None:
        kept.append(EMAWeightAveraging(decay=config.optimiser.averaging))
    return kept


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each file beside its place and moves it there: whatever happens, the one before stays whole."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any = None,
    ) -> None:
        """Writes a checkpoint.

        Raises:
            GendError: it cannot be written.
        """
        place = Path(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(place) as unfinished:
                torch.save(checkpoint, unfinished)
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by the latter
            reason = str(error).splitlines()[0]
            raise GendError(f"{place}: cannot be written ({reason}); once it can, --resume goes on") from error


class _WithinEpochs(ModelCheckpoint):
    """Keeps a checkpoint every so many steps, but not at an epoch's last one.

    Lightning would take that epoch, once resumed, for validated. Its own checkpoint follows the validation.
    """

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)


class _Patience(EarlyStopping):
    """Ends a training that gets no better, also where it was interrupted after that was clear."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True
