"""Fine-tunes as files of their own, and many of them in one batch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from gend.adapter import apply_adapter, cut_adapter, load_adapter
from gend.backbones import DEMO_VIT, DINOV3_B_16, PE_B_16, Backbone
from gend.checkpoint import load_checkpoint, save_checkpoint
from gend.errors import GendError, WeightsError
from gend.model import Detector
from gend.network import GenD
from tests.gend.released import TINY

PX = DEMO_VIT.input_px

SMALL = [
    TINY,
    replace(PE_B_16, name="small-pe", image_px=32, positions_px=48, width=32, layers=2, heads=2),
    replace(DINOV3_B_16, name="small-dinov3", image_px=32, width=32, layers=2, heads=2),
]


def network(backbone: Backbone, seed: int = 0) -> GenD:
    torch.manual_seed(seed)
    model = GenD(backbone).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def fine_tuned(model: GenD, seed: int) -> GenD:
    """As LN-tuning leaves a network: other LayerNorms, another head, all else as it was."""
    tuned = deepcopy(model)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in (*(p for norm in tuned.encoder.norms() for p in norm.parameters()), *tuned.head.parameters()):
            parameter.add_(0.3 * torch.randn_like(parameter))
    return tuned


def crops(count: int, px: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, px, px, 3), dtype=np.uint8)


def alone(model: GenD, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        answer: NDArray[np.float32] = model.log_odds(torch.from_numpy(pixels)).numpy()
    return answer


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The demo encoder as a file, without BatchNorm's statistics being anything special."""
    path = tmp_path / "base.safetensors"
    save_checkpoint(network(DEMO_VIT), path, {})
    return path


@pytest.fixture
def adapter(tmp_path: Path, base: Path) -> Path:
    path = tmp_path / "tuned.safetensors"
    cut_adapter(fine_tuned(load_checkpoint(base).model, 1), {"data": "drawn faces"}, "MIT").save(path)
    return path


@pytest.mark.parametrize("backbone", SMALL, ids=lambda backbone: backbone.name)
def test_adapter_on_its_base_is_the_fine_tune(backbone: Backbone, tmp_path: Path) -> None:
    model = network(backbone)
    tuned = fine_tuned(model, 1)
    cut_adapter(tuned, {"data": "faces", "epochs": "3"}, "MIT").save(tmp_path / "a.safetensors")
    read = load_adapter(tmp_path / "a.safetensors")
    assert (read.backbone, read.head_kind, read.licence) == (backbone.name, "LinearNorm", "MIT")
    assert read.training == {"data": "faces", "epochs": "3"}
    assert len(read.norm_names) == backbone.vit.norms
    assert "encoder.blocks.1.norm2" in read.norm_names
    pixels = crops(3, backbone.input_px)
    assert not np.array_equal(alone(model, pixels), alone(tuned, pixels))
    apply_adapter(model, read, "a")
    for name, tensor in tuned.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.parametrize("backbone", SMALL, ids=lambda backbone: backbone.name)
def test_mixed_batch_equals_each_fine_tune_alone_to_the_last_bit(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", {backbone.name: backbone})
    model = network(backbone)
    tuned = {None: model} | {f"t{seed}": fine_tuned(model, seed) for seed in (1, 2, 3)}
    files = {name: tmp_path / f"{name}.safetensors" for name in tuned if name is not None}
    for name, path in files.items():
        cut_adapter(tuned[name]).save(path)
    save_checkpoint(model, tmp_path / "base.safetensors", {})
    detector = Detector.load(str(tmp_path / "base.safetensors"), device="cpu", adapters=files)
    pixels = crops(8, backbone.input_px)
    names = ["t1", None, "t3", "t1", "t2", None, "t3", "t2"]
    expected = [alone(tuned[name], pixels)[row] for row, name in enumerate(names)]
    assert len(set(map(float, expected))) == 8
    np.testing.assert_array_equal(detector.logits(pixels, names), expected)
    np.testing.assert_array_equal(detector.logits(pixels), alone(model, pixels))


def test_adapters_are_added_and_swapped_while_the_encoder_stays(tmp_path: Path, base: Path, adapter: Path) -> None:
    detector = Detector.load(str(base), device="cpu", adapters={"door": adapter})
    pixels = crops(2, PX)
    first = detector.logits(pixels, ["door", None])
    other = tmp_path / "other.safetensors"
    cut_adapter(fine_tuned(load_checkpoint(base).model, 2)).save(other)
    detector.set_adapters({"door": other, "yard": adapter})
    swapped = detector.logits(pixels, ["door", "yard"])
    assert swapped[0] != first[0]
    np.testing.assert_array_equal(detector.logits(pixels, ["yard", None]), first)
    assert detector.adapters.keys() == {"door", "yard"}

    adapter.write_bytes(adapter.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"tuned\.safetensors: not a whole safetensors file"):
        detector.set_adapters({"door": other, "yard": adapter})
    np.testing.assert_array_equal(detector.logits(pixels, ["door", "yard"]), swapped)


def test_names_that_are_not_there_are_said(base: Path, adapter: Path) -> None:
    detector = Detector.load(str(base), device="cpu", adapters={"door": adapter})
    with pytest.raises(WeightsError, match="no adapter is called yard; there are: door"):
        detector.logits(crops(2, PX), ["door", "yard"])
    with pytest.raises(GendError, match="2 crops and 1 names"):
        detector.logits(crops(2, PX), ["door"])
    without = Detector.load(str(base), device="cpu")
    assert without.logits(crops(1, PX), [None]).shape == (1,)
    with pytest.raises(WeightsError, match="no adapter is called door"):
        without.logits(crops(1, PX), ["door"])
    with pytest.raises(WeightsError, match="loaded without any"):
        without.set_adapters({"door": adapter})


def test_adapter_of_another_base_is_refused(tmp_path: Path, base: Path) -> None:
    strange = tmp_path / "strange.safetensors"
    cut_adapter(network(DEMO_VIT, seed=5)).save(strange)
    with pytest.raises(WeightsError, match=r"adapter door \(.*strange\.safetensors\): an adapter of another demo-vit"):
        Detector.load(str(base), device="cpu", adapters={"door": strange})
    cut_adapter(network(TINY)).save(strange)
    with pytest.raises(WeightsError, match="an adapter of tiny, and the encoder is demo-vit"):
        Detector.load(str(base), device="cpu", adapters={"door": strange})
    model = load_checkpoint(base).model
    model.head_kind = "linear"
    cut_adapter(model).save(strange)
    with pytest.raises(WeightsError, match="its head is linear, and the encoder's LinearNorm"):
        Detector.load(str(base), device="cpu", adapters={"door": strange})


def _rewritten(path: Path, **changes: NDArray[np.generic] | None) -> Path:
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:
        metadata = opened.metadata()
    tensors = {name: tensor for name, tensor in (load_file(path) | changes).items() if tensor is not None}
    save_file(tensors, path, metadata=metadata)
    return path


def test_damaged_adapters_are_one_line_each(tmp_path: Path, adapter: Path, base: Path) -> None:
    whole = adapter.read_bytes()
    norms = load_file(adapter)["norms"]
    holed = norms.copy()
    holed[0, 0, 0] = np.nan
    for changes, said in (
        ({"norms": holed}, "norms has values that are not finite"),
        ({"norms": norms.astype(np.float64)}, "norms has values that are not finite float32"),
        ({"norms": norms[1:]}, "norms .* instead of"),
        ({"head_bias": None}, "head_bias"),
        ({"more": norms}, "its tensors are"),
    ):
        adapter.write_bytes(whole)
        with pytest.raises(WeightsError, match=rf"tuned\.safetensors: damaged: .*{said}") as raised:
            load_adapter(_rewritten(adapter, **changes))
        assert "\n" not in str(raised.value)
    with pytest.raises(WeightsError, match=r"base\.safetensors: no adapter; `gend adapter cut` makes one"):
        load_adapter(base)
    with pytest.raises(WeightsError, match="no such file"):
        load_adapter(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.safetensors: not a whole safetensors file"):
        load_adapter(tmp_path / "text.safetensors")


def test_files_may_be_read_by_whom_the_umask_lets(adapter: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert adapter.stat().st_mode == base.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert not list(tmp_path.glob("*.unfinished"))


def test_adapter_is_a_small_part_of_its_encoder(adapter: Path, base: Path) -> None:
    assert adapter.stat().st_size < base.stat().st_size / 100
