from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gend.backbones import DEMO_VIT
from gend.checkpoint import load_checkpoint, save_checkpoint
from gend.errors import WeightsError
from gend.network import GenD
from tests.gend.released import TINY, TOWER, UNUSED, standard_tensors, write_release

PX = DEMO_VIT.input_px


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CLIP of two small layers beside the real ones, for all that does not depend on size."""
    monkeypatch.setattr("gend.layouts.BACKBONES", {"tiny": TINY, "demo-vit": DEMO_VIT})


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return standard_tensors(TINY.vit)


@pytest.fixture
def release(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    return write_release(tmp_path / "release", TINY, tensors)


def logits(weights: Path) -> Tensor:
    model = load_checkpoint(weights).model
    torch.manual_seed(0)
    crops = torch.randint(0, 256, (3, model.backbone.input_px, model.backbone.input_px, 3), dtype=torch.uint8)
    with torch.inference_mode():
        answer: Tensor = model(model.normalise(crops))
    return answer


def trained_demo() -> GenD:
    """The demo encoder after one batch, so that its running statistics are no longer the first ones."""
    torch.manual_seed(0)
    model = GenD(DEMO_VIT)
    model(torch.randn(4, 3, PX, PX))
    return model.eval()


def test_load_release_from_folder_and_files(tmp_path: Path, release: Path) -> None:
    alone = tmp_path / "renamed.safetensors"
    alone.write_bytes((release / "model.safetensors").read_bytes())
    expected = logits(release)
    assert torch.equal(logits(release / "model.safetensors"), expected)
    assert torch.equal(logits(alone), expected)


def test_load_release_in_shards(tmp_path: Path, release: Path, tensors: dict[str, Tensor]) -> None:
    shards = write_release(tmp_path / "shards", TINY, {})
    (shards / "model.safetensors").unlink()
    names = sorted(tensors)
    files = {f"model-0000{i}-of-00003.safetensors": names[i - 1 :: 3] for i in (1, 2, 3)}
    for file, held in files.items():
        save_file({name: tensors[name] for name in held}, shards / file)
    index = shards / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, held in files.items() for name in held}}))
    assert torch.equal(logits(shards), logits(release))
    joined = b"".join((shards / file).read_bytes() for file in sorted(files))
    assert load_checkpoint(shards).sha256 == hashlib.sha256(joined).hexdigest()

    (shards / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"shard model-00002-of-00003\.safetensors is missing"):
        load_checkpoint(shards)


def test_load_says_the_sha256_of_the_file(release: Path) -> None:
    expected = hashlib.sha256((release / "model.safetensors").read_bytes()).hexdigest()
    assert load_checkpoint(release).sha256 == expected


def test_load_takes_half_precision_as_fp32(tmp_path: Path, release: Path, tensors: dict[str, Tensor]) -> None:
    half = write_release(tmp_path / "half", TINY, {name: tensor.bfloat16() for name, tensor in tensors.items()})
    assert all(parameter.dtype == torch.float32 for parameter in load_checkpoint(half).model.parameters())
    torch.testing.assert_close(logits(half), logits(release), atol=0.05, rtol=0)


def test_load_head_follows_the_configuration(tmp_path: Path, release: Path, tensors: dict[str, Tensor]) -> None:
    linear = write_release(tmp_path / "linear", TINY, tensors, head="linear")
    assert load_checkpoint(linear).model.head_kind == "linear"
    assert not torch.allclose(logits(linear), logits(release), atol=0.01)
    assert torch.equal(logits(linear / "model.safetensors"), logits(linear))  # reads the config.json beside it


def test_load_does_without_the_unused_tensor(tmp_path: Path, release: Path, tensors: dict[str, Tensor]) -> None:
    del tensors[UNUSED]
    assert torch.equal(logits(write_release(tmp_path / "without", TINY, tensors)), logits(release))


def test_load_refuses_missing_tensors(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    del tensors[f"{TOWER}.encoder.layers.1.mlp.fc2.bias"], tensors["model.linear.bias"]
    folder = write_release(tmp_path / "missing", TINY, tensors)
    expected = f"missing tensors: {TOWER}.encoder.layers.1.mlp.fc2.bias, model.linear.bias$"
    for weights in (folder, folder / "model.safetensors"):
        with pytest.raises(WeightsError, match=expected):
            load_checkpoint(weights)


def test_load_refuses_unknown_tensors(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    extra = {f"{TOWER}.encoder.layers.{layer}.layer_norm1.bias": torch.zeros(32) for layer in range(2, 7)}
    folder = write_release(tmp_path / "extra", TINY, tensors | extra)
    expected = r"unknown tensors: .*layers\.2\..*, .*layers\.3\..*, .*layers\.4\..* and 2 more$"
    with pytest.raises(WeightsError, match=expected):
        load_checkpoint(folder)


def test_load_refuses_other_shapes(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    tensors["model.linear.weight"] = torch.zeros(3, 32)
    folder = write_release(tmp_path / "shapes", TINY, tensors)
    with pytest.raises(WeightsError, match=r"another shape: model.linear.weight \(3, 32\) instead of \(2, 32\)$"):
        load_checkpoint(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_load_refuses_values_that_are_not_finite(tmp_path: Path, tensors: dict[str, Tensor], value: float) -> None:
    tensors[f"{TOWER}.post_layernorm.bias"][3] = value
    folder = write_release(tmp_path / "nan", TINY, tensors)
    with pytest.raises(WeightsError, match=f"not finite numbers: {TOWER}.post_layernorm.bias$"):
        load_checkpoint(folder)


def test_load_refuses_integers_for_weights(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    tensors["model.linear.weight"] = torch.zeros(2, 32, dtype=torch.int8)
    with pytest.raises(WeightsError, match=r"model\.linear\.weight"):
        load_checkpoint(write_release(tmp_path / "int8", TINY, tensors))


@pytest.mark.parametrize("left", [0, 5, 2000, -1])
def test_load_refuses_a_truncated_file(release: Path, left: int) -> None:
    file = release / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(WeightsError, match=r"model\.safetensors: not a whole safetensors file"):
        load_checkpoint(release)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "clip", "head": "LinearNorm"}, "model_type is 'clip', not 'GenD'"),
        ({"model_type": "GenD", "head": "mlp"}, "head 'mlp' is not supported; known are LinearNorm, linear"),
        (
            {"model_type": "GenD", "head": "linear", "backbone": "facebook/dinov3"},
            "backbone 'facebook/dinov3' is not supported; known are tests/tiny-clip",
        ),
        (["GenD"], "not a JSON object"),
    ],
)
def test_load_refuses_a_configuration(release: Path, config: object, said: str) -> None:
    (release / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=rf"config\.json: .*{said}"):
        load_checkpoint(release)


def test_load_refuses_a_shard_outside_its_folder(release: Path) -> None:
    (release / "model.safetensors").rename(release.parent / "model.safetensors")
    index = release / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.linear.bias": "../model.safetensors"}}))
    with pytest.raises(WeightsError, match="lies outside its folder"):
        load_checkpoint(release)


def test_load_refuses_what_is_not_there(tmp_path: Path, release: Path) -> None:
    (tmp_path / "model.ckpt").touch()
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    (release / "config.json").write_text("{")
    (tmp_path / "model.onnx").touch()
    for weights, said in {
        str(tmp_path / "none"): "no such file or folder",
        "weights/none.safetensors": "no such file or folder",
        "demon": "no such file or folder",
        str(tmp_path / "model.ckpt"): "not a file of torch.save",
        str(tmp_path / "model.onnx"): "not a file of weights by its ending",
        str(tmp_path / "empty"): "neither model.safetensors nor model.safetensors.index.json",
        str(other): "of no encoder known here",
        str(release): "config.json: not readable",
    }.items():
        with pytest.raises(WeightsError, match=said) as raised:
            load_checkpoint(weights)
        assert "\n" not in str(raised.value)


def test_load_demo_without_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gend.checkpoint.DEMO_WEIGHTS", tmp_path / "demo.safetensors")
    with pytest.raises(WeightsError, match="demo: this installation lacks"):
        load_checkpoint("demo")


def test_save_is_loaded_back_exactly(tmp_path: Path) -> None:
    model = trained_demo()
    save_checkpoint(model, tmp_path / "ours.safetensors", {"about": "a test"})
    loaded = load_checkpoint(tmp_path / "ours.safetensors")
    assert loaded.backbone is DEMO_VIT
    assert not loaded.model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name
    assert [path.name for path in tmp_path.iterdir()] == ["ours.safetensors"]


def test_save_half_is_half_the_size_and_nearly_the_same(tmp_path: Path) -> None:
    model = trained_demo()
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(model, whole, {})
    save_checkpoint(model, half, {}, half=True)
    assert half.stat().st_size < 0.51 * whole.stat().st_size
    torch.testing.assert_close(logits(half), logits(whole), atol=0.01, rtol=0)


def test_save_keeps_the_head(tmp_path: Path) -> None:
    save_checkpoint(GenD(TINY, "linear"), tmp_path / "linear.safetensors", {})
    assert load_checkpoint(tmp_path / "linear.safetensors").model.head_kind == "linear"


def test_save_refuses_what_fp16_cannot_hold(tmp_path: Path) -> None:
    model = GenD(TINY)
    torch.nn.init.constant_(model.head.bias, 1e5)
    with pytest.raises(WeightsError, match=r"head\.bias is not finite"):
        save_checkpoint(model, tmp_path / "half.safetensors", {}, half=True)
    assert not list(tmp_path.iterdir())


def test_save_refuses_metadata_that_claims_its_own(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="metadata may not set backbone"):
        save_checkpoint(GenD(TINY), tmp_path / "ours.safetensors", {"backbone": "other"})


def test_save_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        save_checkpoint(GenD(TINY), tmp_path / "none" / "ours.safetensors", {})


def test_load_refuses_a_later_format_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    save_checkpoint(GenD(TINY), path, {})
    for header, said in (
        ({"gend_format": "2", "backbone": "tiny"}, "its gend_format is 2; this version reads 1"),
        ({"gend_format": "1", "backbone": "vast"}, "unknown backbone vast"),
    ):
        save_file(load_file(path), tmp_path / "later.safetensors", metadata=header)
        with pytest.raises(WeightsError, match=said):
            load_checkpoint(tmp_path / "later.safetensors")
