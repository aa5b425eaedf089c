"""The bundled demo encoder: it does the one thing it claims, and anyone can make it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.backbones import DEMO_VIT
from gend.data.pairs import Pairs, Sources, draw_pairs, join
from gend.evaluation.bootstrap import paired_auroc
from gend.experiments import load_experiment
from gend.media import read_picture
from gend.metrics import auroc, probability
from gend.model import Detector
from gend.training.config import TrainingConfig
from gend.training.run import train

_EXAMPLE = Path(__file__).parents[3] / "configs" / "train" / "example.yaml"


@pytest.fixture(scope="module")
def demo() -> Detector:
    return Detector.load("demo", threads=1)


def drawn_pairs(count: int, seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    return join([draw_pairs(rng, Sources.drawn(), 8, DEMO_VIT.input_px) for _ in range(count // 8)])


def rgb(path: Path) -> NDArray[np.uint8]:
    pixels = read_picture(path)
    assert pixels is not None
    return pixels


def test_demo_separates_drawn_pairs(demo: Detector) -> None:
    pairs = drawn_pairs(96, seed=77)
    assert auroc(demo.logits(pairs.real), demo.logits(pairs.fake)) > 0.9


def test_demo_is_seldom_sure_of_drawn_real_faces(demo: Detector) -> None:
    pairs = drawn_pairs(96, seed=78)
    assert (probability(demo.logits(pairs.real)) > 0.9).mean() < 0.1


def test_demo_separates_unseen_faces(demo: Detector, assets: Path) -> None:
    names = sorted(path.name for path in (assets / "pairs" / "real").iterdir())
    assert len(names) == 72
    real, fake = (
        demo.logits(np.stack([demo.prepare(rgb(assets / "pairs" / kind / name)) for name in names]))
        for kind in ("real", "lowres")
    )
    assert paired_auroc(real, fake).value >= 0.95


def test_demo_is_a_small_file() -> None:
    assert (Path(__file__).parents[3] / "gend" / "weights" / "demo.safetensors").stat().st_size < 5_000_000


def test_the_example_learns_what_it_is_for(tmp_path: Path) -> None:
    """Its recipe, on a few of its pairs, drawn from nothing."""
    changes = [
        "data.train.generate={sources: drawn, pairs: 48, lowres: 1, selfblend: 0}",
        "data.validation.generate={sources: drawn, pairs: 16, lowres: 1, selfblend: 0}",
        "data.workers=0",
        "optimiser.averaging=0.9",
        "run.epochs=3",
        "run.batch_size=16",
        "run.threads=1",
    ]
    config = load_experiment(_EXAMPLE, TrainingConfig, changes)
    said: list[str] = []
    trained = train(config, tmp_path / "run", say=said.append)
    losses = [float(line.split("training loss ")[1].split()[0]) for line in said if line.startswith("epoch")]
    assert losses[-1] < losses[0]
    assert trained.model.stat().st_size < 5_000_000
    loaded = Detector.load(str(trained.model), threads=1)
    assert loaded.notices == ("demo encoder: not for real use",)
    pairs = drawn_pairs(8, seed=1)
    assert np.isfinite(loaded.logits(pairs.fake)).all()
