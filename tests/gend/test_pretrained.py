"""The way of the authors' README."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gend.backbones import DEMO_VIT, DINOV3_B_16, PE_B_16, Published
from gend.checkpoint import load_checkpoint, save_checkpoint
from gend.errors import WeightsError
from gend.pretrained import GenD
from tests.gend.released import TINY, standard_tensors, write_release


def _small(backbone: Published) -> Published:
    return replace(backbone, image_px=32, width=32, layers=2, heads=2)


FAMILIES = [TINY, _small(PE_B_16), _small(DINOV3_B_16)]


@pytest.mark.parametrize("backbone", FAMILIES, ids=lambda backbone: type(backbone).__name__)
def test_saved_is_loaded_back_exactly_under_the_authors_names(
    backbone: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", {backbone.name: backbone})
    torch.manual_seed(0)
    model = GenD(backbone, "linear").eval()
    model.save_pretrained(tmp_path / "new" / "release")
    again = GenD.from_pretrained(tmp_path / "new" / "release")
    assert again.head_kind == "linear"
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    names = load_file(tmp_path / "new" / "release" / "model.safetensors").keys()
    assert all(name.startswith(("feature_extractor.", "model.linear.")) for name in names)


def test_a_released_file_is_written_as_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", {"tiny": TINY})
    tensors = standard_tensors(TINY.vit)
    GenD.from_pretrained(write_release(tmp_path / "in", TINY, tensors)).save_pretrained(tmp_path / "out")
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert written.keys() == tensors.keys() - set(TINY.release_unused)
    assert all(torch.equal(written[name], tensors[name]) for name in written)


def test_picture_is_prepared_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", {"tiny": TINY})
    model = GenD.from_pretrained(write_release(tmp_path, TINY, standard_tensors(TINY.vit)))
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    prepared = model.feature_extractor.preprocess(Image.fromarray(pixels))
    expected = (pixels / 255 - np.array(TINY.mean)) / np.array(TINY.std)
    np.testing.assert_allclose(prepared.permute(1, 2, 0), expected, atol=1e-5)
    probabilities = model(prepared.unsqueeze(0)).softmax(dim=-1)
    assert probabilities.shape == (1, 2)
    other = model.preprocess(Image.fromarray(pixels).convert("L").resize((70, 50)))
    assert other.shape == (3, 28, 28)


def test_encoder_of_our_own_is_not_written_as_a_release(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="demo-vit is no encoder of released detectors"):
        GenD(DEMO_VIT).save_pretrained(tmp_path / "release")
    assert not (tmp_path / "release").exists()
    save_checkpoint(GenD(DEMO_VIT), tmp_path / "demo.safetensors", {})
    assert load_checkpoint(tmp_path / "demo.safetensors").backbone is DEMO_VIT
