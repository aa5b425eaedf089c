from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file

from gend.cli import main
from gend.experiments import list_experiments, load_experiment
from gend.training.config import TrainingConfig
from gend.training.sweep import combinations
from tests.gend.training.trees import make_tree
from tests.interruptible import interruptible
from tests.waiting import wait_until

_GEND = str(Path(sys.executable).with_name("gend"))
_CONFIGS = Path(__file__).parents[2] / "configs" / "train"


def gend(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_GEND, *map(str, arguments)], check=False, cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with crops and a recipe for a training of seconds."""
    folder = tmp_path_factory.mktemp("project")
    make_tree(folder / "train", videos=4, frames=4)
    make_tree(folder / "validation", videos=2, seed=1)
    recipe = {
        "model": {"detector": "demo"},
        "data": {"train": {"root": "train"}, "validation": {"root": "validation"}, "workers": 1},
        "run": {"epochs": 2, "batch_size": 8, "accelerator": "cpu", "threads": 1, "keep_every_steps": 1},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


@pytest.fixture(scope="module")
def trained(project: Path) -> subprocess.CompletedProcess[str]:
    """The recipe, trained without an interruption into `runs/recipe`."""
    done = gend("train", "recipe.yaml", "optimiser.learning_rate=1e-4", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    return done


def test_every_experiment_of_the_project_is_a_whole_configuration() -> None:
    experiments = list_experiments(_CONFIGS)
    assert len(experiments) > 25
    assert any(about.startswith("GenD on CLIP, 25 pairs of weights") for _, about in experiments)
    for path, _ in experiments:
        load_experiment(path, TrainingConfig)
    sweep = load_experiment(_CONFIGS / "clip" / "losses.yaml", TrainingConfig).sweep
    assert len(combinations(sweep)) == 25
    assert combinations(sweep)[1] == ("losses.uniformity=0", "losses.alignment=0.1")


def test_a_training_from_the_command_line(project: Path, trained: subprocess.CompletedProcess[str]) -> None:
    said = json.loads(trained.stdout)
    assert (said["folder"], said["steps"]) == ("runs/recipe", 8)
    assert (project / said["adapter"]).is_file()
    lines = trained.stderr.splitlines()
    assert lines[0] == "norms: 3,842 of 2,046,170 parameters learn (0.19%)"
    assert [line.split()[0] for line in lines] == ["norms:", "learns", "judged", "epoch", "epoch"]


@pytest.mark.usefixtures("trained")
def test_killed_and_resumed_it_ends_as_if_nothing_had_been(project: Path) -> None:
    command = ["train", "recipe.yaml", "optimiser.learning_rate=1e-4", "--out", "killed"]
    killed = subprocess.Popen([_GEND, *command], cwd=project, stderr=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: (project / "killed/checkpoints/last.ckpt").exists() or killed.poll() is not None)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    resumed = gend(*command, "--resume", cwd=project)
    assert resumed.returncode == 0, resumed.stderr
    one, other = (load_file(project / folder / "model.safetensors") for folder in ("runs/recipe", "killed"))
    assert all((tensor == other[name]).all() for name, tensor in one.items())


@pytest.mark.parametrize("sent_to", [os.kill, os.killpg])
def test_ctrl_c_ends_between_two_steps_and_in_one_line(project: Path, sent_to: Callable[[int, int], None]) -> None:
    out = f"interrupted-{sent_to.__name__}"
    command = interruptible(_GEND, "train", "recipe.yaml", "run.epochs=500", "data.workers=2", "--out", out)
    running = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: (project / out / "checkpoints/last.ckpt").exists() or running.poll() is not None)
    sent_to(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 1, said
    assert said.splitlines()[-2:] == [
        "interrupted; ends after this step (Ctrl-C again: at once)",
        f"error: {out}: interrupted; --resume goes on from the last checkpoint",
    ]
    assert "Traceback" not in said


def refusal(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line of `gend train` with what it does not do."""
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["gend", "train", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert (end.value.code, told.out) == (2, "")
    return told.err.splitlines()[-1]


@pytest.mark.usefixtures("trained")
def test_a_folder_that_holds_a_training_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(project, monkeypatch, capsys, "recipe.yaml")
    assert said.startswith("error: runs/recipe: not empty; --resume goes on with the training")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "Error: Invalid value: CONFIG is missing; --list shows what there is"),
        (("none.yaml",), "error: none.yaml: cannot read: No such file or directory"),
        (("recipe.yaml", "colour=red"), "error: colour=red: colour: unknown key"),
        (
            ("recipe.yaml", "model.fresh=demo-vit"),
            "error: recipe.yaml: model: one of encoder, detector and fresh is wanted",
        ),
        (("recipe.yaml", "losses.where=1"), "error: recipe.yaml: the whole: losses.where: wants generated pairs"),
    ],
)
def test_bad_usage_is_one_line_and_2(
    project: Path,
    arguments: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refusal(project, monkeypatch, capsys, *arguments).startswith(line)
