"""The bundled demo encoder: it does the one thing it claims, and anyone can make it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gend.backbones import DEMO_VIT
from gend.checkpoint import save_checkpoint
from gend.data.pairs import Pairs, Sources, draw_pairs, join
from gend.errors import PictureError
from gend.evaluation.bootstrap import paired_auroc
from gend.evaluation.metrics import auroc, probability
from gend.model import Detector
from gend.network import GenD
from gend.training.demo_encoder import main
from gend.training.demo_figures import pair_table, score_pairs
from gend.training.pair_training import Progress, TrainingSettings, log_odds, train_on_pairs


@pytest.fixture(scope="module")
def demo() -> Detector:
    return Detector.load("demo", threads=1)


def drawn_pairs(count: int, seed: int) -> Pairs:
    rng = np.random.default_rng(seed)
    return join([draw_pairs(rng, Sources.drawn(), 8, DEMO_VIT.input_px) for _ in range(count // 8)])


def test_demo_separates_drawn_pairs(demo: Detector) -> None:
    pairs = drawn_pairs(96, seed=77)
    assert auroc(demo.logits(pairs.real), demo.logits(pairs.fake)) > 0.9


def test_demo_is_seldom_sure_of_drawn_real_faces(demo: Detector) -> None:
    pairs = drawn_pairs(96, seed=78)
    assert (probability(demo.logits(pairs.real)) > 0.9).mean() < 0.1


def test_demo_separates_unseen_faces(demo: Detector, assets: Path) -> None:
    real, fake = score_pairs(demo, assets / "pairs", "lowres")
    assert len(real) == 72
    assert paired_auroc(real, fake).value >= 0.95


def test_demo_is_a_small_file() -> None:
    assert (Path(__file__).parents[3] / "gend" / "weights" / "demo.safetensors").stat().st_size < 5_000_000


def test_training_reduces_the_loss_and_its_file_loads(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    pairs = drawn_pairs(48, seed=1)
    losses: list[float] = []

    def report(progress: Progress, network: GenD) -> None:
        losses.append(progress.loss)

    network = train_on_pairs(DEMO_VIT, pairs, TrainingSettings(epochs=6, batch_pairs=16, averaging=0.8), report)
    assert losses[-1] < 0.8 * losses[0]
    save_checkpoint(network, tmp_path / "trained.safetensors", {"about": "a test"}, half=True)
    loaded = Detector.load(str(tmp_path / "trained.safetensors"), threads=1)
    assert loaded.logits(pairs.fake) == pytest.approx(log_odds(network, pairs.fake), abs=0.05)


def test_pair_table_has_a_row_for_each_manipulation(demo: Detector, tmp_path: Path) -> None:
    pairs = drawn_pairs(8, seed=3)
    for kind, crops in (("real", pairs.real), ("lowres", pairs.fake), ("untouched", pairs.real)):
        (tmp_path / kind).mkdir()
        for number, crop in enumerate(crops):
            Image.fromarray(crop).save(tmp_path / kind / f"{number}.png")
    table = pair_table(demo, tmp_path)
    assert list(table.columns[0].cells) == ["real", "lowres", "untouched"]
    assert str(list(table.columns[2].cells)[2]).startswith("0.500")


def test_pair_table_of_a_twin_that_is_missing_is_one_line(demo: Detector, tmp_path: Path) -> None:
    for kind in ("real", "lowres"):
        (tmp_path / kind).mkdir()
    Image.new("RGB", (112, 112)).save(tmp_path / "real" / "a.png")
    with pytest.raises(PictureError, match=r"lowres/a\.png: cannot read: No such file"):
        pair_table(demo, tmp_path)


def test_train_into_a_missing_folder_is_one_line_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo_encoder", "train", "--out", str(tmp_path / "nowhere" / "demo.safetensors")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "there is no folder" in capsys.readouterr().out.splitlines()[0]


def test_pair_table_of_a_folder_without_pictures_is_one_line(demo: Detector, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"real: no pictures$"):
        pair_table(demo, tmp_path)
