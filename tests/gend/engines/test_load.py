from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gend.adapter import bank as bank_of
from gend.backbones import DEMO_VIT
from gend.checkpoint import load_checkpoint
from gend.engines import Mix, load
from gend.engines.choose import Wish
from gend.engines.cpu import CPU
from gend.engines.exported import Exported
from gend.engines.load import load_engine
from gend.engines.reports import Report, arithmetic, save_report
from gend.errors import GendError, WeightsError
from gend.export import export
from gend.locate import DEMO_WEIGHTS
from gend.tensor_files import sha256
from tests.gend.engines.networks import crops, reference

PX = DEMO_VIT.input_px

DEMO_SHA256 = sha256([DEMO_WEIGHTS])
PIXELS = crops(16, PX)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "cache"))
    # Else networks as small as these stay with torch.
    monkeypatch.setattr(load, "_SMALL_BYTES", 0)
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("fp32") / "made"
    return export(load_checkpoint("demo"), folder, "openvino", "fp32", weights="demo")


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pytest.importorskip("nncf")
    folder = tmp_path_factory.mktemp("int8") / "made"
    calibration = list(crops(4, PX, seed=1))
    return export(load_checkpoint("demo"), folder, "openvino", "int8", weights="demo", calibration=calibration)


def report_on(int8: Exported, max_drift: float = 0.05) -> Report:
    here = arithmetic(CPU.here())
    return Report(DEMO_SHA256, str(int8.folder), int8.sha256, here, 64, max_drift, max_drift / 2)


def test_load_of_a_folder_runs_what_is_in_it(fp32: Exported) -> None:
    loaded = load_engine(str(fp32.folder), threads=1)
    assert (loaded.engine.name, loaded.engine.precision) == ("openvino-cpu", "fp32")
    assert (loaded.weights, loaded.sha256, loaded.input_px) == (str(fp32.folder), DEMO_SHA256, PX)
    assert loaded.notices == ("demo encoder: not for real use",)
    assert loaded.own is None
    due = reference(load_checkpoint("demo").model, PIXELS)
    np.testing.assert_allclose(loaded.engine.logits(PIXELS), due, atol=1e-4, rtol=0)


def test_load_for_mixing_brings_the_checkpoint_s_own_fine_tune(fp32: Exported) -> None:
    for weights, wish in ((str(fp32.folder), Wish(mixes=True)), ("demo", Wish("torch", "fp32", mixes=True))):
        loaded = load_engine(weights, wish, threads=1)
        assert loaded.own is not None
        own = Mix(bank_of([loaded.own]), np.zeros(2, np.intp))
        found = loaded.engine.logits(PIXELS[:2], own)
        np.testing.assert_allclose(found, loaded.engine.logits(PIXELS[:2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(engine="torch"), "converted for openvino; torch and cuda need the weights themselves"),
        (Wish(precision="bf16"), "converted to fp32, not bf16"),
    ],
)
def test_load_of_a_folder_refuses_what_it_is_not(fp32: Exported, wish: Wish, said: str) -> None:
    with pytest.raises(GendError, match=said):
        load_engine(str(fp32.folder), wish)


def test_load_of_an_int8_folder_says_whether_it_was_compared(int8: Exported) -> None:
    def notices() -> tuple[str, ...]:
        return load_engine(str(int8.folder), threads=1).notices

    assert "no `gend compare` of 32 crops or more shows its logits within 0.1" in notices()[-1]
    save_report(report_on(int8, 0.2))
    assert len(notices()) == 2
    save_report(report_on(int8))
    assert notices() == ("demo encoder: not for real use",)
    with pytest.raises(GendError, match="int8 cannot mix adapters"):
        load_engine(str(int8.folder), Wish(mixes=True))


def test_load_takes_int8_that_a_report_allows(int8: Exported) -> None:
    save_report(report_on(int8))
    loaded = load_engine("demo", Wish(device="cpu"), threads=1)
    assert (loaded.engine.precision, loaded.weights, loaded.sha256) == ("int8", "demo", DEMO_SHA256)
    assert load_engine("demo", Wish(engine="torch", precision="fp32"), threads=1).engine.precision == "fp32"


def test_load_does_not_take_int8_that_is_not_the_one_compared(int8: Exported, caplog: pytest.LogCaptureFixture) -> None:
    save_report(replace(report_on(int8), model_sha256="ef" * 32))
    with pytest.raises(GendError, match="precision int8: nothing of demo has been compared"):
        load_engine("demo", Wish(precision="int8"))
    assert "not the network that was compared; `gend compare` it anew; this int8 network does not count" in caplog.text


def test_load_does_not_take_int8_whose_folder_is_gone(
    int8: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fp32: Exported, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(load, "converted", lambda *_: fp32)
    save_report(replace(report_on(int8), folder=str(tmp_path / "gone")))
    assert load_engine("demo", Wish(device="cpu"), threads=1).engine.precision == "fp32"
    assert "this int8 network does not count" in caplog.text


def test_load_leaves_small_networks_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_SMALL_BYTES", 1 << 26)
    loaded = load_engine("demo", Wish(device="cpu"), threads=1)
    assert (loaded.engine.name, loaded.engine.precision) == ("torch-cpu", "fp32")
    assert loaded.sha256 == DEMO_SHA256


def test_load_without_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "find_spec", lambda _: None)
    with pytest.raises(GendError, match=r"the encoder needs torch: pip install 'gend-monitor\[torch\]'"):
        load_engine("demo", Wish(engine="torch"))


def test_load_names_weights_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors: no such file or folder"):
        load_engine(str(tmp_path / "none.safetensors"))


def test_load_on_a_machine_without_gpu_does_not_ask_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    if any(Path(node).exists() for node in load._GPU_NODES):
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    assert not load.gpu_here()
    with pytest.raises(GendError, match="torch finds no CUDA GPU"):
        load_engine("demo", Wish(device="cuda"))
