"""What torch saved, read without being run."""

from __future__ import annotations

import enum
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from gend.backbones import BACKBONES
from gend.checkpoint import load_checkpoint
from gend.errors import WeightsError
from gend.layouts import file_shapes, released_layout
from gend.network import GenD
from gend.torch_files import TorchFile
from tests.gend.released import TINY, Standard


class HeadKind(enum.Enum):
    LINEAR = "linear"
    NORMALISED = "LinearNorm"


@dataclass
class Settings:
    """Stands for the class in which somebody's training code keeps its configuration."""

    head: HeadKind
    nested: dict[str, object]


class Malicious:
    """A pickle that leaves a file behind where it is run."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture(autouse=True)
def _tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", {"tiny": TINY, **BACKBONES})


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    """As the authors' code names them, with what a training checkpoint carries besides."""
    with torch.device("meta"):
        shapes = file_shapes(GenD(TINY), released_layout(TINY, "LinearNorm"))
    return dict(Standard({**shapes, "feature_extractor.visual_projection.weight": (16, 32)}).tensors())


def lightning(path: Path, tensors: Mapping[str, object], hyper_parameters: object) -> Path:
    """A checkpoint as Lightning writes it."""
    content = {
        "epoch": 3,
        "global_step": 400,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": tensors,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
        "callbacks": {"ModelCheckpoint": SimpleNamespace(best=Path("best.ckpt"))},
        "hyper_parameters": hyper_parameters,
    }
    torch.save(content, path)
    return path


def answer(model: GenD) -> Tensor:
    torch.manual_seed(0)
    with torch.inference_mode():
        logits: Tensor = model(torch.randn(3, 3, 28, 28))
    return logits


@pytest.mark.parametrize(
    ("hyper_parameters", "head"),
    [
        ({}, "LinearNorm"),
        ({"head": "linear"}, "linear"),
        ({"config": Settings(HeadKind.LINEAR, {"deep": Path("x")})}, "linear"),
        (SimpleNamespace(head="linear"), "linear"),
    ],
)
def test_lightning_checkpoint_is_read_with_its_head(
    tmp_path: Path, tensors: dict[str, Tensor], hyper_parameters: object, head: str
) -> None:
    model = load_checkpoint(lightning(tmp_path / "model.ckpt", tensors, hyper_parameters)).model
    assert model.head_kind == head
    expected = GenD(TINY, model.head_kind).eval()
    for ours, place in released_layout(TINY, "LinearNorm").places.items():
        expected.state_dict()[ours].copy_(tensors[place.name])
    assert torch.equal(answer(model), answer(expected))


def test_lightning_checkpoint_in_a_wrapper_is_read_behind_its_prefix(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    plain = lightning(tmp_path / "plain.ckpt", tensors, {})
    wrapped = lightning(tmp_path / "wrapped.ckpt", {f"net.{name}": each for name, each in tensors.items()}, {})
    assert torch.equal(answer(load_checkpoint(wrapped).model), answer(load_checkpoint(plain).model))


def test_lightning_checkpoint_of_half_and_shared_storages_is_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    name = "model.linear.weight"
    shared = torch.zeros(4, 32)
    shared[1:3] = tensors[name]
    stored = {other: tensor.bfloat16() for other, tensor in tensors.items()} | {name: shared[1:3]}
    model = load_checkpoint(lightning(tmp_path / "model.ckpt", stored, {})).model
    assert torch.equal(model.head.weight, tensors[name])
    assert model.head.weight.dtype == model.encoder.class_token.dtype == torch.float32


def test_torchscript_is_read_and_not_run(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    root = nn.Module()
    for name, tensor in tensors.items():
        *modules, last = name.split(".")
        module = root
        for part in modules:
            if not hasattr(module, part):
                module.add_module(part, nn.Module())
            module = getattr(module, part)
        module.register_parameter(last, nn.Parameter(tensor))
    torch.jit.script(root).save(str(tmp_path / "model.torchscript"))  # type: ignore[no-untyped-call]
    expected = load_checkpoint(lightning(tmp_path / "model.ckpt", tensors, {})).model
    assert torch.equal(answer(load_checkpoint(tmp_path / "model.torchscript").model), answer(expected))


def test_folder_of_a_checkpoint_is_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    lightning(tmp_path / "model.ckpt", tensors, {})
    assert load_checkpoint(tmp_path).backbone is TINY


@pytest.mark.parametrize("where", ["hyper_parameters", "state_dict"])
def test_malicious_pickle_is_never_run(tmp_path: Path, tensors: dict[str, Tensor], where: str) -> None:
    planted = tmp_path / "planted"
    weapon = Malicious(planted)
    if where == "state_dict":
        path = lightning(tmp_path / "model.ckpt", tensors | {"model.linear.weight": weapon}, {})
        with pytest.raises(WeightsError, match=r"missing tensors: model\.linear\.weight"):
            load_checkpoint(path)
    else:
        path = lightning(tmp_path / "model.ckpt", tensors, {"callback": weapon})
        load_checkpoint(path)
    assert not planted.exists()
    torch.load(path, weights_only=False)  # it would have worked
    assert planted.exists()


def test_bare_pickle_is_refused_unread(tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    path = tmp_path / "model.ckpt"
    path.write_bytes(pickle.dumps(Malicious(planted)))
    with pytest.raises(WeightsError, match=r"model\.ckpt: not a file of torch\.save"):
        load_checkpoint(path)
    assert not planted.exists()


def _archive(path: Path, content: bytes, storages: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
        for key, stored in storages.items():
            archive.writestr(f"archive/data/{key}", stored)
    return path


def test_damaged_files_are_one_line_each(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    whole = lightning(tmp_path / "model.ckpt", tensors, {}).read_bytes()
    for share in (0, 0.1, 0.5, 0.99):
        (tmp_path / "cut.ckpt").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(WeightsError, match=r"cut\.ckpt: not a file of torch\.save") as raised:
            load_checkpoint(tmp_path / "cut.ckpt")
        assert "\n" not in str(raised.value)
    bomb = _archive(tmp_path / "bomb.ckpt", b"\x80\x02N." + bytes(10_000_000), {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match=r"bomb\.ckpt: .*data\.pkl is compressed"):
        load_checkpoint(bomb)
    for nonsense in (b"", b"\x80\x02", b"garbage", b"\x80\x02}q\x00(X\x01\x00\x00\x00a.", pickle.dumps({"a": 1})):
        path = _archive(tmp_path / "odd.ckpt", nonsense, {})
        with pytest.raises(WeightsError, match=r"odd\.ckpt: ") as raised:
            load_checkpoint(path)
        assert "\n" not in str(raised.value)


def test_tensor_that_claims_more_than_its_storage_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.arange(4.0)}}, tmp_path / "sound.ckpt")
    assert TorchFile(tmp_path / "sound.ckpt").shapes == {"a": (4,)}
    with zipfile.ZipFile(tmp_path / "sound.ckpt") as archive:
        content = archive.read("sound/data.pkl")
        storage = archive.read("sound/data/0")
    larger = content.replace(b"K\x00K\x04\x85", b"K\x00K\x09\x85")
    assert larger != content
    with pytest.raises(WeightsError, match=r"larger\.ckpt: "):
        TorchFile(_archive(tmp_path / "larger.ckpt", larger, {"0": storage}))
    with pytest.raises(WeightsError, match=r"short\.ckpt: "):
        TorchFile(_archive(tmp_path / "short.ckpt", content, {"0": storage[:8]}))
    with pytest.raises(WeightsError, match=r"none\.ckpt: "):
        TorchFile(_archive(tmp_path / "none.ckpt", content, {}))
