"""A training from its configuration to its weights: a folder that holds all of it, and can be gone on with.

config.json          what it was told, defaults included
events.out.tfevents* curves for TensorBoard
metrics.csv          figures of each epoch's validation
checkpoints/         last.ckpt to resume from, best.ckpt by the validation
model.safetensors    the best network whole, as `gend score --weights` takes it
adapter.safetensors  LayerNorms and head alone, where nothing else was changed
training.json        configuration, hash of the data, figures, versions
"""

from __future__ import annotations

import errno
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from gend.adapter import cut_adapter
from gend.backbones import BACKBONES
from gend.checkpoint import load_checkpoint, load_encoder, save_checkpoint
from gend.errors import ConfigError, GendError
from gend.network import GenD
from gend.training.config import ModelSection, TrainingConfig
from gend.training.module import TrainingModule
from gend.training.progress import EpochLog, TrainingProgress
from gend.training.samples import View
from gend.training.sets import TrainingSets, read_trees
from gend.training.tuning import Tuned, is_adapter

CONFIG, METRICS, SUMMARY = "config.json", "metrics.csv", "training.json"
MODEL, ADAPTER = "model.safetensors", "adapter.safetensors"
_CHECKPOINTS, _LAST, _BEST = "checkpoints", "last", "best"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out."""

    folder: Path
    model: Path
    adapter: Path | None
    """None where more than LayerNorms and head learnt."""
    figures: Mapping[str, float]
    """Of the validation, of the best checkpoint."""
    steps: int


@dataclass(frozen=True, slots=True)
class _Learnt:
    """What goes into the files of the result beside the weights."""

    data_sha256: str
    figures: Mapping[str, float]
    steps: int


def train(config: TrainingConfig, out: Path, *, resume: bool = False, say: Callable[[str], None]) -> Trained:
    """Trains, and writes the best network.

    Args:
        config: what to do.
        out: folder of this training; made, and empty unless it is resumed.
        resume: go on from the last checkpoint of `out`, which must be of this very configuration. What comes out is
            what would have come out without the interruption, bit for bit on the same machine.
        say: told what is trained on what, and each epoch's figures, a line at a time.

    Raises:
        ConfigError: sets share sources, or the folder is of another training.
        GendError: pictures or weights cannot be read, memory or disk do not suffice, or somebody interrupted it.
    """
    last = _folder(config, out, resume=resume)
    L.seed_everything(config.seed, verbose=False)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    trees = read_trees(config)
    model = starting_model(config.model, config.seed)
    backbone = model.backbone
    sets = TrainingSets(config, trees, View(backbone.input_px, backbone.interpolation))
    tuned = Tuned(model, config.model.tuning, config.model.lora)
    for line in (tuned.summary(), *sets.summary()):
        say(line)
    module = TrainingModule(tuned, config, -(-sets.batches() // config.run.accumulate)).train()
    (out / CONFIG).write_text(config.model_dump_json(indent=2) + "\n")
    with _told(config, out):
        trainer = _trainer(config, out, say)
        # Read without pickle: a checkpoint holds tensors and plain values only.
        trainer.fit(module, datamodule=sets, ckpt_path=last, weights_only=True)
        _take(module, out / _CHECKPOINTS)
        return _written(config, out, tuned, _learnt(sets, out / _CHECKPOINTS))


def starting_model(section: ModelSection, seed: int) -> GenD:
    """The network that training begins with, fp32 on the CPU.

    Raises:
        WeightsError: it cannot be found or read.
    """
    if section.detector is not None:
        return load_checkpoint(section.detector).model
    if section.encoder is not None:
        model = load_encoder(section.encoder, head=section.head, seed=seed).model
    else:
        assert section.fresh is not None
        torch.manual_seed(seed)
        model = GenD(BACKBONES[section.fresh], section.head)
    if section.head_std is not None:
        rng = torch.Generator().manual_seed(seed)
        nn.init.normal_(model.head.weight, std=section.head_std, generator=rng)
    return model


def _folder(config: TrainingConfig, out: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from, if any."""
    said, last = out / CONFIG, out / _CHECKPOINTS / f"{_LAST}.ckpt"
    if not resume:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{out}: not empty; --resume goes on with the training in it, --out names another folder")
        _make(out)
        return None
    if not said.is_file():
        raise ConfigError(f"{out}: holds no training to resume")
    before, now = json.loads(said.read_text()), config.model_dump(mode="json")
    if changed := _differences(before, now):
        raise ConfigError(f"{out}: was begun with another configuration: {', '.join(changed)}")
    return last if last.is_file() else None  # interrupted before the first checkpoint


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GendError(f"{out}: cannot be written ({error.strerror})") from error


def _differences(before: Any, now: Any, at: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [each for key in keys for each in _differences(before.get(key), now.get(key), f"{at}{key}.")]
    return [] if before == now else [f"{at.rstrip('.')} {before!r}, now {now!r}"]


def _trainer(config: TrainingConfig, out: Path, say: Callable[[str], None]) -> L.Trainer:
    run, checkpoints = config.run, out / _CHECKPOINTS
    better = "min" if run.best == "loss" else "max"
    watched = f"validation/{run.best}"
    best = ModelCheckpoint(checkpoints, _BEST, monitor=watched, mode=better, enable_version_counter=False)
    by_steps = ModelCheckpoint(
        checkpoints, _LAST, every_n_train_steps=run.keep_every_steps, enable_version_counter=False
    )
    by_epochs = ModelCheckpoint(
        checkpoints, _LAST, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False
    )
    callbacks: list[Callback] = [
        TrainingProgress(say),
        EpochLog(out / METRICS),
        LearningRateMonitor(),
        best,
        by_steps,
        by_epochs,
    ]
    if run.patience is not None:
        callbacks.append(EarlyStopping(watched, patience=run.patience, mode=better))
    if config.optimiser.averaging is not None:
        callbacks.append(EMAWeightAveraging(decay=config.optimiser.averaging))
    return L.Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy="ddp_spawn" if run.devices > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bf16" else "32-true",
        max_epochs=run.epochs,
        accumulate_grad_batches=run.accumulate,
        gradient_clip_val=config.optimiser.clip_norm,
        logger=TensorBoardLogger(out, name="", version=""),
        callbacks=callbacks,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


@contextmanager
def _told(config: TrainingConfig, out: Path) -> Iterator[None]:
    """Says in one line what went wrong, and keeps Lightning's own lines from those who did not ask."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*`isinstance.treespec, LeafSpec.`.*")
            yield
    except (OSError, RuntimeError, MemoryError) as error:
        if _is_memory(error):
            raise GendError(
                f"out of memory with run.batch_size={config.run.batch_size}; a smaller one with as much more "
                f"run.accumulate learns alike"
            ) from error
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or "file write failed" in str(error):
            raise GendError(f"{out}: the disk is full; with room again, --resume goes on") from error
        raise
    except SystemExit as interruption:  # how Lightning ends after Ctrl-C
        raise GendError(f"{out}: interrupted; --resume goes on from the last checkpoint") from interruption


def _is_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in said


def _take(module: TrainingModule, checkpoints: Path) -> None:
    """Loads what learnt, as it was when it was best."""
    module.load_state_dict(_checkpoint(checkpoints, _BEST)["state_dict"], strict=False)


def _learnt(sets: TrainingSets, checkpoints: Path) -> _Learnt:
    figures = _checkpoint(checkpoints, _BEST)[TrainingModule.FIGURES]
    return _Learnt(sets.sha256(), dict(figures), int(_checkpoint(checkpoints, _LAST)["global_step"]))


def _checkpoint(checkpoints: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(checkpoints / f"{name}.ckpt", map_location="cpu", weights_only=True)
    return found


def _written(config: TrainingConfig, out: Path, tuned: Tuned, learnt: _Learnt) -> Trained:
    adaptable = is_adapter(config.model.tuning)
    summary = {
        "configuration": config.model_dump(mode="json"),
        "data_sha256": learnt.data_sha256,
        "steps": learnt.steps,
        "validation": dict(learnt.figures),
        "versions": {name: version(name) for name in ("gend-monitor", "torch", "lightning", "kornia")},
    }
    metadata = {name: value if isinstance(value, str) else json.dumps(value) for name, value in summary.items()}
    model = tuned.settle()
    save_checkpoint(model, out / MODEL, metadata, half=config.run.store == "fp16")
    if adaptable:
        cut_adapter(model, metadata, config.licence).save(out / ADAPTER)
    (out / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
    return Trained(out, out / MODEL, out / ADAPTER if adaptable else None, learnt.figures, learnt.steps)
