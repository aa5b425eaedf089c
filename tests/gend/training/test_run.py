from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from gend.adapter import cut_adapter, load_adapter
from gend.backbones import BACKBONES
from gend.checkpoint import load_checkpoint
from gend.errors import ConfigError, GendError, PictureError
from gend.experiments import load_experiment
from gend.network import GenD
from gend.training.config import UNVARIED, TrainingConfig
from gend.training.loader import TrainingLoader
from gend.training.module import TrainingModule
from gend.training.run import ADAPTER, METRICS, MODEL, SUMMARY, Trained, starting_model, train
from gend.training.samples import CropPairs, View
from gend.training.sets import read_trees
from gend.training.sweep import run_sweep
from tests.gend.training.test_tuning import SMALL_CLIP
from tests.gend.training.trees import make_tree


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("trees")
    return make_tree(folder / "train", videos=4, frames=5), make_tree(folder / "validation", videos=2, seed=1)


def config(trees: tuple[Path, Path], **sections: object) -> TrainingConfig:
    """Five steps an epoch, two epochs."""
    base: dict[str, object] = {
        "model": {"detector": "demo"},
        "data": {"train": {"root": trees[0]}, "validation": {"root": trees[1]}, "workers": 0},
        "run": {"epochs": 2, "batch_size": 8, "precision": "fp32", "accelerator": "cpu", "keep_every_steps": 1}
        | {"threads": 1},  # of two, each would wait for the other where tests run beside each other
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


def from_nothing(trees: tuple[Path, Path], averaging: float | None, keep_every_steps: int) -> TrainingConfig:
    return config(
        trees,
        model={"fresh": "demo-vit", "detector": None, "tuning": "full"},
        optimiser={"averaging": averaging},
        run={"keep_every_steps": keep_every_steps, "best": "loss"},
        losses={"slerp": {}},
    )


class Straight(NamedTuple):
    averaging: float | None
    trained: Trained


@pytest.fixture(scope="module", params=[None, 0.9])
def straight(
    request: pytest.FixtureRequest, trees: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Straight:
    """A training that nothing interrupted."""
    recipe = from_nothing(trees, request.param, keep_every_steps=1)
    return Straight(request.param, train(recipe, tmp_path_factory.mktemp("runs") / "straight", say=quiet))


@pytest.mark.parametrize("steps", [3, 5, 7])
def test_resumed_training_ends_bit_for_bit_where_the_uninterrupted_one_does(
    steps: int, straight: Straight, trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = from_nothing(trees, straight.averaging, keep_every_steps=5 if steps == 7 else 1)
    with monkeypatch.context() as patched:
        interrupted_after(steps, patched)
        with pytest.raises(GendError, match="no power"):
            train(recipe, tmp_path / "resumed", say=quiet)
    resumed = train(recipe, tmp_path / "resumed", resume=True, say=quiet)
    assert resumed.figures == straight.trained.figures
    folders = (straight.trained.folder, resumed.folder)
    one, other = ((folder / METRICS).read_text() for folder in folders)
    assert one == other
    learnt, again = (load_file(folder / MODEL) for folder in folders)
    assert all(torch.equal(tensor, again[name]) for name, tensor in learnt.items())


def test_ten_steps_are_those_of_a_plain_loop(
    trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small random CLIP, LN-tuned; the loop knows nothing of ours but the network and the batches."""
    monkeypatch.setitem(BACKBONES, SMALL_CLIP.name, SMALL_CLIP)
    recipe = config(
        trees,
        model={"detector": None, "fresh": SMALL_CLIP.name},
        augmentation=UNVARIED.model_dump(),
        optimiser={"warm_up_epochs": 0.4, "weight_decay": 0.1, "learning_rate": 1e-2, "least_learning_rate": 1e-3},
    )
    train(recipe, tmp_path / "run", say=quiet)
    last = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]

    network = starting_model(recipe.model, recipe.seed)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tree = read_trees(recipe)["train"]
    view = View(SMALL_CLIP.input_px, SMALL_CLIP.interpolation)
    loader = TrainingLoader(CropPairs(tree.crops, tree.pairs, view, UNVARIED, recipe.seed), 8, recipe.seed)
    network.requires_grad_(False)
    learnt = [*network.head.parameters()]
    learnt += [p for module in network.modules() if isinstance(module, nn.LayerNorm) for p in module.parameters()]
    for parameter in learnt:
        parameter.requires_grad_(True)
    matrices, vectors = [p for p in learnt if p.ndim > 1], [p for p in learnt if p.ndim == 1]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0}])
    step = 0
    for _ in range(2):
        for batch in loader:
            ramp = (step + 1) / 3  # over two steps
            fall = 0.1 + 0.9 * (1 + math.cos(math.pi * (step - 2) / 8)) / 2
            for group in optimiser.param_groups:
                group["lr"] = 1e-2 * (ramp if step < 2 else fall)
            images = (batch.crops.permute(0, 3, 1, 2) / 255 - torch.tensor(SMALL_CLIP.mean)[:, None, None]) / (
                torch.tensor(SMALL_CLIP.std)[:, None, None]
            )
            features = network.encoder(images)
            features = features / features.norm(dim=-1, keepdim=True)
            loss = nn.functional.cross_entropy(network.head(features), batch.labels)
            apart = torch.cdist(features, features).square()
            pairs = torch.triu(torch.ones(8, 8), diagonal=1) == 1
            alike = pairs & (batch.labels[:, None] == batch.labels[None])
            loss = loss + 0.5 * torch.log(torch.exp(-2 * apart[pairs]).mean()) + 0.1 * apart[alike].mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step += 1
    assert step == 10
    for name, tensor in last.items():
        ours = dict(network.named_parameters())[name.removeprefix("network.")]
        torch.testing.assert_close(tensor, ours.detach(), atol=1e-5, rtol=0)
    assert not torch.equal(network.head.weight, before["head.weight"])


def test_two_processes_learn_what_one_does_from_twice_the_batch(trees: tuple[Path, Path], tmp_path: Path) -> None:
    alike = {"losses": {"uniformity": 0, "alignment": 0}, "augmentation": UNVARIED.model_dump()}
    together = config(trees, run={"devices": 2, "batch_size": 4, "epochs": 1}, **alike)
    alone = config(trees, run={"devices": 1, "batch_size": 8, "epochs": 1}, **alike)
    figures = [train(recipe, tmp_path / str(n), say=quiet) for n, recipe in enumerate((together, alone))]
    assert [each.steps for each in figures] == [5, 5]
    one, other = (load_file(each.model) for each in figures)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-6, rtol=0)
    assert figures[0].figures == pytest.approx(figures[1].figures, abs=1e-5)


def test_training_ends_early_where_nothing_gets_better_also_when_resumed(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = config(
        trees, optimiser={"learning_rate": 1e-12, "least_learning_rate": 0}, run={"epochs": 9, "patience": 1}
    )
    assert train(recipe, tmp_path / "run", say=quiet).steps == 10
    (tmp_path / "run" / MODEL).unlink()  # as if it had been interrupted while it was written
    assert train(recipe, tmp_path / "run", resume=True, say=quiet).steps == 10


def test_an_epoch_whose_validation_was_interrupted_is_validated(
    trees: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = config(trees, run={"keep_every_steps": 5})
    straight = train(recipe, tmp_path / "straight", say=quiet)
    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "validation_step", no_power)
        with pytest.raises(GendError, match="no power"):
            train(recipe, tmp_path / "resumed", say=quiet)
    resumed = train(recipe, tmp_path / "resumed", resume=True, say=quiet)
    assert (resumed.folder / METRICS).read_text() == (straight.folder / METRICS).read_text()
    assert resumed.figures == straight.figures


def no_power(*_: object) -> None:
    raise GendError("no power")


def test_a_folder_of_another_training_is_left_alone(trees: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(config(trees, run={"epochs": 1}), out, say=quiet)
    with pytest.raises(ConfigError, match="not empty; --resume goes on"):
        train(config(trees, run={"epochs": 1}), out, say=quiet)
    with pytest.raises(ConfigError, match=r"was begun with another configuration: run\.epochs 1, now 2"):
        train(config(trees), out, resume=True, say=quiet)
    with pytest.raises(ConfigError, match="holds no training to resume"):
        train(config(trees), tmp_path / "none", resume=True, say=quiet)


def test_a_training_whose_data_has_changed_is_not_resumed(trees: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(trees[0], tmp_path / "train")
    recipe = config((tmp_path / "train", trees[1]), run={"epochs": 1})
    train(recipe, tmp_path / "run", say=quiet)
    next((tmp_path / "train").rglob("*.png")).unlink()
    with pytest.raises(ConfigError, match="was begun with other data"):
        train(recipe, tmp_path / "run", resume=True, say=quiet)


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
        patched.setattr(torch, "save", full_disk)
        with pytest.raises(GendError, match=r"last\.ckpt: cannot be written \(.*No space left"):
            train(config(trees), tmp_path / "run", say=quiet)
    assert train(config(trees), tmp_path / "run", resume=True, say=quiet).steps == 10


def full_disk(*_: object) -> None:
    """As far as a disk of 4 kB goes."""
    with Path("/dev/full").open("w") as disk:
        disk.write("a checkpoint")


def test_a_damaged_checkpoint_is_named(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = config(trees, run={"epochs": 1})
    train(recipe, tmp_path / "run", say=quiet)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(GendError, match=r"last\.ckpt: damaged; without it, --resume begins anew"):
        train(recipe, tmp_path / "run", resume=True, say=quiet)


def test_crops_may_be_listed_from_elsewhere_and_the_hash_is_of_the_data(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(trees[0], elsewhere)
    (tmp_path / "root").mkdir()
    listed = config(
        trees, data={"train": {"root": tmp_path / "root", "lists": [elsewhere / "drawn"]}}, run={"epochs": 1}
    )
    plain = config(trees, run={"epochs": 1})
    hashes = []
    for number, recipe in enumerate((listed, plain)):
        out = tmp_path / str(number)
        train(recipe, out, say=quiet)
        hashes.append(json.loads((out / SUMMARY).read_text())["data_sha256"])
    assert hashes[0] == hashes[1]


def test_a_training_that_diverges_says_so(trees: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = config(trees, optimiser={"learning_rate": 1e30, "warm_up_epochs": 0}, losses={"uniformity": 0})
    with pytest.raises(GendError, match=r"training diverged: .* lower optimiser\.learning_rate"):
        train(recipe, tmp_path / "run", say=quiet)


def test_a_detector_keeps_its_head_and_a_fresh_one_has_a_new_one(trees: tuple[Path, Path]) -> None:
    demo = load_checkpoint("demo").model
    assert torch.equal(starting_model(config(trees).model, 3).head.weight, demo.head.weight)
    fresh = config(trees, model={"detector": None, "fresh": "demo-vit", "head_std": 0.3}).model
    one, other, again = (starting_model(fresh, seed) for seed in (3, 4, 3))
    assert isinstance(one, GenD)
    assert torch.equal(one.head.weight, again.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert 0.25 < one.head.weight.std().item() < 0.35
