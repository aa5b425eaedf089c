"""A training from its configuration to its weights: a folder that holds all of it, and can be gone on with.

config.json          what it was told, defaults included
data.sha256          hash of what it learns from
events.out.tfevents* curves for TensorBoard
metrics.csv          figures of each epoch's validation
checkpoints/         last.ckpt to resume from, best.ckpt by the validation
model.safetensors    the best network whole, as `gend score --weights` takes it
adapter.safetensors  LayerNorms and head alone, where nothing else was changed
training.json        configuration, hash of the data, figures, versions
"""

from __future__ import annotations

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
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor, nn

from gend.adapter import cut_adapter
from gend.backbones import BACKBONES
from gend.checkpoint import load_checkpoint, load_encoder, save_checkpoint
from gend.errors import ConfigError, GendError
from gend.network import GenD
from gend.training.config import ModelSection, TrainingConfig
from gend.training.interruption import BetweenSteps
from gend.training.keeping import WholeCheckpoints, best_checkpoint, keepers, last_checkpoint, read_checkpoint
from gend.training.memory import return_large_tensors
from gend.training.module import TrainingModule
from gend.training.progress import EpochLog, TrainingProgress
from gend.training.samples import View
from gend.training.sets import TrainingSets, read_trees
from gend.training.tuning import Tuned, is_adapter

CONFIG, DATA, METRICS, SUMMARY = "config.json", "data.sha256", "metrics.csv", "training.json"
MODEL, ADAPTER = "model.safetensors", "adapter.safetensors"
CHECKPOINTS = "checkpoints"


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
            what would have come out without the interruption, bit for bit on the same CPU.
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
    if config.run.checkpointing:
        model.encoder.checkpointing = True
        return_large_tensors()
    backbone = model.backbone
    sets = TrainingSets(config, trees, View(backbone.input_px, backbone.interpolation))
    tuned = Tuned(model, config.model.tuning, config.model.lora)
    for line in (tuned.summary(), *sets.summary()):
        say(line)
    data_sha256 = _same_data(out, sets.sha256(), resume=resume)
    module = TrainingModule(tuned, config, -(-sets.batches() // config.run.accumulate)).train()
    (out / CONFIG).write_text(config.model_dump_json(indent=2) + "\n")
    with _told(config, out):
        trainer = _trainer(config, out, say)
        # Read without pickle: a checkpoint holds tensors and plain values only.
        trainer.fit(module, datamodule=sets, ckpt_path=last, weights_only=True)
        best = read_checkpoint(best_checkpoint(out / CHECKPOINTS))
        _take(module, best["state_dict"])
        steps = int(read_checkpoint(last_checkpoint(out / CHECKPOINTS))["global_step"])
        return _written(config, out, tuned, _Learnt(data_sha256, dict(best[TrainingModule.FIGURES]), steps))


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
    said, last = out / CONFIG, last_checkpoint(out / CHECKPOINTS)
    if not resume:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigError(f"{out}: not empty; --resume goes on with the training in it, --out names another folder")
        _make(out)
        return None
    if not said.is_file():
        raise ConfigError(f"{out}: holds no training to resume")
    if changed := differences(json.loads(said.read_text()), config.model_dump(mode="json")):
        raise ConfigError(f"{out}: was begun with another configuration: {', '.join(changed)}")
    return last if last.is_file() else None  # interrupted before the first checkpoint


def _same_data(out: Path, sha256: str, *, resume: bool) -> str:
    """The hash of what is learnt from, which must not change in between."""
    said = out / DATA
    if resume and said.is_file() and said.read_text().strip() != sha256:
        raise ConfigError(f"{out}: was begun with other data; what it learns from has changed since")
    said.write_text(f"{sha256}\n")
    return sha256


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GendError(f"{out}: cannot be written ({error.strerror})") from error


def differences(before: Any, now: Any, at: str = "") -> list[str]:
    """Settings that differ between two configurations, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [each for key in keys for each in differences(before.get(key), now.get(key), f"{at}{key}.")]
    return [] if before == now else [f"{at.rstrip('.')} {before!r}, now {now!r}"]


def _trainer(config: TrainingConfig, out: Path, say: Callable[[str], None]) -> L.Trainer:
    run = config.run
    callbacks = [BetweenSteps(), TrainingProgress(say), EpochLog(out / METRICS), LearningRateMonitor()]
    return L.Trainer(
        accelerator=run.accelerator,
        devices=run.devices,
        strategy="ddp_spawn" if run.devices > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bf16" else "32-true",
        max_epochs=run.epochs,
        accumulate_grad_batches=run.accumulate,
        gradient_clip_val=config.optimiser.clip_norm,
        logger=TensorBoardLogger(out, name="", version=""),
        callbacks=[*callbacks, *keepers(config, out / CHECKPOINTS)],
        plugins=WholeCheckpoints(),
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
            other = "" if config.run.checkpointing else "; run.checkpointing=true takes a tenth and learns the same"
            raise GendError(
                f"out of memory with run.batch_size={config.run.batch_size}; a smaller one with as much more "
                f"run.accumulate learns similarly{other}"
            ) from error
        if "PytorchStreamReader" in str(error):
            raise GendError(
                f"{last_checkpoint(out / CHECKPOINTS)}: damaged; without it, --resume begins anew"
            ) from error
        raise
    except SystemExit as interruption:  # how Lightning ends after Ctrl-C
        raise GendError(f"{out}: interrupted; --resume goes on from the last checkpoint") from interruption


def _is_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in said


def _take(module: TrainingModule, state: Mapping[str, Tensor]) -> None:
    """Loads what learnt; what did not is there already."""
    found = module.load_state_dict(state, strict=False)
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    if odd := [*found.unexpected_keys, *(set(found.missing_keys) - frozen)]:
        raise GendError(f"the best checkpoint does not fit the network: {', '.join(sorted(odd))}")


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
