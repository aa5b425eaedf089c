from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from gend.adapter import cut_adapter, load_adapter
from gend.checkpoint import load_checkpoint, save_checkpoint
from gend.errors import ConfigError, GendError, PictureError
from gend.experiments import load_experiment
from gend.network import GenD
from gend.training.config import TrainingConfig
from gend.training.losses import alignment, uniformity
from gend.training.module import TrainingModule
from gend.training.run import ADAPTER, METRICS, MODEL, SUMMARY, starting_model, train
from gend.training.samples import View
from gend.training.schedule import Schedule
from gend.training.sets import TrainingSets, read_trees
from gend.training.sweep import run_sweep
from tests.gend.training.trees import make_tree

PLAIN = {
    "flip": 0,
    "degrees": 0,
    "translate": 0,
    "scale": [1, 1],
    "blur": {"probability": 0},
    "brightness": 0,
    "contrast": 0,
    "jpeg": None,
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trees")
    return make_tree(folder / "train", videos=4, frames=5), make_tree(folder / "validation", videos=2, seed=1)


def config(trees: tuple[Path, Path], **sections: object) -> TrainingConfig:
    """Five steps an epoch, two epochs."""
    base: dict[str, object] = {
        "model": {"detector": "demo"},
        "data": {"train": {"root": trees[0]}, "validation": {"root": trees[1]}, "workers": 0},
        "run": {"epochs": 2, "batch_size": 8, "precision": "fp32", "accelerator": "cpu", "keep_every_steps": 1},
    }
    for name, section in sections.items():
        before = base.get(name)
        base[name] = {**before, **section} if isinstance(before, dict) and isinstance(section, dict) else section
    return TrainingConfig.model_validate(base)


def quiet(_: str) -> None:
    pass


def interrupted_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The power fails in the middle of a step."""
    whole = TrainingModule.training_step
    done: list[object] = []

    def step(self: TrainingModule, batch: object) -> torch.Tensor:
        if len(done) == steps:
            raise GendError("no power")
        done.append(batch)
        return whole(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(TrainingModule, "training_step", step)


def test_adapter_model_and_summary_come_out_and_agree(trees: tuple[Path, Path], tmp_path: Path) -> None:
    said: list[str] = []
    trained = train(config(trees), tmp_path / "run", say=said.append)
    assert said[:3] == [
        "norms: 3,842 of 2,046,170 parameters learn (0.19%)",
        "learns from 40 crops of 8 videos: 20 real, 20 fake",
        "judged by 12 crops of 4 videos: 6 real, 6 fake",
    ]
    assert [line.split()[:2] for line in said[3:]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    summary = json.loads((tmp_path / "run" / SUMMARY).read_text())
    assert summary["steps"] == trained.steps == 10
    assert summary["configuration"]["model"]["tuning"] == "norms"
    assert len(summary["data_sha256"]) == 64
    assert summary["validation"] == trained.figures
    model = load_checkpoint(tmp_path / "run" / MODEL).model
    own, adapter = cut_adapter(model), load_adapter(tmp_path / "run" / ADAPTER)
    before = cut_adapter(load_checkpoint("demo").model)
    assert own.base_sha256 == adapter.base_sha256 == before.base_sha256
    assert np.array_equal(own.norms, adapter.norms)
    assert not np.array_equal(own.norms, before.norms)
    assert json.loads(adapter.training["configuration"])["run"]["batch_size"] == 8
    assert adapter.training["data_sha256"] == summary["data_sha256"]
    epochs = (tmp_path / "run" / METRICS).read_text().splitlines()
    assert epochs[0].startswith("epoch,step,validation/loss")
    assert [row.split(",")[:2] for row in epochs[1:]] == [["1", "5"], ["2", "10"]]
    assert list((tmp_path / "run").glob("events.out.tfevents*"))


@pytest.mark.parametrize("averaging", [None, 0.9])
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_resumed_training_ends_bit_for_bit_where_the_uninterrupted_one_does(
    steps: int, averaging: float | None, trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = config(
        trees,
        model={"fresh": "demo-vit", "detector": None, "tuning": "full"},
        optimiser={"averaging": averaging},
        run={"keep_every_steps": 5 if steps == 7 else 1, "best": "loss"},
        losses={"slerp": {}},
    )
    straight = train(recipe, tmp_path / "straight", say=quiet)
    with monkeypatch.context() as patched:
        interrupted_after(steps, patched)
        with pytest.raises(GendError, match="no power"):
            train(recipe, tmp_path / "resumed", say=quiet)
    resumed = train(recipe, tmp_path / "resumed", resume=True, say=quiet)
    assert resumed.figures == straight.figures
    assert (resumed.folder / METRICS).read_text() == (straight.folder / METRICS).read_text()
    one, other = (load_file(folder / MODEL) for folder in (straight.folder, resumed.folder))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_ten_steps_are_those_of_a_plain_loop(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = config(
        trees,
        augmentation=PLAIN,
        optimiser={"warm_up_epochs": 0.4, "weight_decay": 0.1},
        run={"best": "loss"},
    )
    start = tmp_path / "start.safetensors"
    model = starting_model(recipe.model, 0)
    save_checkpoint(model, start, {})

    sets = TrainingSets(recipe, read_trees(recipe), View(model.backbone.input_px, model.backbone.interpolation))
    network = load_checkpoint(start).model
    learnt = [*network.head.parameters(), *(p for norm in network.encoder.norms() for p in norm.parameters())]
    network.requires_grad_(False)
    for parameter in learnt:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in learnt if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in learnt if p.ndim < 2], "weight_decay": 0},
        ],
        lr=3e-4,
    )
    rate = Schedule("cosine", 10, warm_up=2, least=1e-5 / 3e-4)
    loader = sets._loader(1)
    by_epoch: list[dict[str, torch.Tensor]] = []
    step = 0
    for _ in range(2):
        for batch in loader:
            for group in optimiser.param_groups:
                group["lr"] = 3e-4 * rate.at(step)
            features = F.normalize(network.encoder(network.normalise(batch.crops)), dim=-1)
            loss = F.cross_entropy(network.head(features), batch.labels)
            loss = loss + 0.5 * uniformity(features) + 0.1 * alignment(features, batch.labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step += 1
        by_epoch.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    assert step == 10

    recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"detector": str(start)})})
    trained = train(recipe, tmp_path / "run", say=quiet)
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in last.items():
        torch.testing.assert_close(tensor, by_epoch[1][name.removeprefix("network.")], atol=1e-5, rtol=0)
    best = load_file(trained.model)
    closest = min(
        max(float((best[name] - epoch[name]).abs().max()) for name in best if best[name].is_floating_point())
        for epoch in by_epoch
    )
    assert closest <= 1e-5


def test_two_processes_learn_together_and_agree(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = config(trees, run={"devices": 2, "batch_size": 4, "epochs": 1})
    trained = train(recipe, tmp_path / "run", say=quiet)
    assert trained.steps == 5
    before, after = (cut_adapter(load_checkpoint(weights).model) for weights in ("demo", trained.model))
    assert not np.array_equal(before.norms, after.norms)
    assert set(trained.figures) == {"loss", "video_ap", "video_auroc", "frame_ap", "frame_auroc"}


def test_training_ends_early_where_nothing_gets_better(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = config(
        trees, optimiser={"learning_rate": 1e-12, "least_learning_rate": 0}, run={"epochs": 9, "patience": 1}
    )
    assert train(recipe, tmp_path / "run", say=quiet).steps == 10


def test_a_folder_of_another_training_is_left_alone(trees: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(config(trees, run={"epochs": 1}), out, say=quiet)
    with pytest.raises(ConfigError, match="not empty; --resume goes on"):
        train(config(trees, run={"epochs": 1}), out, say=quiet)
    with pytest.raises(ConfigError, match=r"was begun with another configuration: run\.epochs 1, now 2"):
        train(config(trees), out, resume=True, say=quiet)
    with pytest.raises(ConfigError, match="holds no training to resume"):
        train(config(trees), tmp_path / "none", resume=True, say=quiet)


def test_a_source_in_both_sets_is_refused(trees: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.validation: 8 source videos are in the training data as well"):
        train(config((trees[0], trees[0])), tmp_path / "run", say=quiet)


def test_bad_sets_are_told_before_anything_is_learnt(trees: tuple[Path, Path], tmp_path: Path) -> None:
    lists = tmp_path / "list.txt"
    lists.write_text("drawn/lowres/v1-0\n")
    one = config(trees, data={"validation": {"root": trees[1], "lists": [lists]}})
    with pytest.raises(ConfigError, match=r"data\.validation: has no real crops"):
        train(one, tmp_path / "a", say=quiet)
    lists.write_text("drawn/lowres/none\ndrawn/gone\n")
    gone = config(trees, data={"train": {"root": trees[0], "lists": [lists]}})
    with pytest.raises(PictureError) as raised:
        train(gone, tmp_path / "b", say=quiet)
    assert len(str(raised.value).splitlines()) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="no pictures in this folder"):
        train(config((tmp_path / "empty", trees[1])), tmp_path / "c", say=quiet)


def test_data_is_looked_at_before_weights_are_fetched(trees: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="gone: no such folder"):
        train(config((tmp_path / "gone", trees[1]), model={"detector": "nobody/nothing"}), tmp_path / "run", say=quiet)


def test_a_sweep_trains_all_combinations_and_goes_on_where_it_was(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    sweep = {"seed": [1, 2], "losses.alignment": [0]}
    settings = config(trees, run={"epochs": 1}).model_dump(mode="json") | {"sweep": sweep}
    recipe.write_text(yaml.safe_dump(settings, sort_keys=False))

    def load(changes: Sequence[str]) -> TrainingConfig:
        return load_experiment(recipe, TrainingConfig, changes)

    members = run_sweep(load, tmp_path / "sweep", resume=False, say=quiet)
    assert [member.changes for member in members] == [
        ("seed=1", "losses.alignment=0"),
        ("seed=2", "losses.alignment=0"),
    ]
    first = tmp_path / "sweep" / "seed=1,losses.alignment=0" / MODEL
    written = first.stat().st_mtime_ns
    (tmp_path / "sweep" / "seed=2,losses.alignment=0" / SUMMARY).unlink()
    again = run_sweep(load, tmp_path / "sweep", resume=True, say=quiet)
    assert [member.figures for member in again] == [member.figures for member in members]
    assert first.stat().st_mtime_ns == written


def test_no_memory_is_told_with_the_batch_size(
    trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingModule, "training_step", lambda *_: torch.empty(1 << 60))
    with pytest.raises(GendError, match=r"out of memory with run\.batch_size=8"):
        train(config(trees), tmp_path / "run", say=quiet)


def test_a_full_disk_is_told_and_training_can_be_resumed(
    trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "on_save_checkpoint", full_disk)
        with pytest.raises(GendError, match="the disk is full; with room again, --resume goes on"):
            train(config(trees), tmp_path / "run", say=quiet)
    assert train(config(trees), tmp_path / "run", resume=True, say=quiet).steps == 10


def full_disk(*_: object) -> None:
    """As far as a disk of 4 kB goes."""
    with Path("/dev/full").open("w") as disk:
        disk.write("a checkpoint")


def test_a_detector_keeps_its_head_and_a_fresh_one_has_a_new_one(trees: tuple[Path, Path]) -> None:
    demo = load_checkpoint("demo").model
    assert torch.equal(starting_model(config(trees).model, 3).head.weight, demo.head.weight)
    fresh = config(trees, model={"detector": None, "fresh": "demo-vit", "head_std": 0.3}).model
    one, other, again = (starting_model(fresh, seed) for seed in (3, 4, 3))
    assert isinstance(one, GenD)
    assert torch.equal(one.head.weight, again.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert 0.25 < one.head.weight.std().item() < 0.35
