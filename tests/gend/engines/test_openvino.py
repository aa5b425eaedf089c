from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from gend.backbones import Backbone
from gend.engines import Precision
from gend.engines.cpu import CPU
from gend.engines.exported import Exported
from gend.engines.openvino import OpenVINOEngine, settings
from gend.errors import GendError, PictureError, WeightsError
from gend.export import export
from tests.gend.engines.networks import FAMILIES, bank, checkpoint, crops, mixed, network, reference, tuned

BF16_DRIFT = 0.1
"""Of the logits of the small networks here, which are about 3 apart."""


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda backbone: backbone.name)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    chosen: Backbone = request.param
    return chosen


@pytest.fixture(scope="module")
def fp32(backbone: Backbone) -> Iterator[Exported]:
    with TemporaryDirectory() as folder:
        yield export(checkpoint(backbone), Path(folder) / "fp32", "openvino", "fp32", weights="tiny")


@pytest.fixture(scope="module")
def tiny() -> Iterator[Exported]:
    with TemporaryDirectory() as folder:
        yield export(checkpoint(), Path(folder) / "fp32", "openvino", "fp32", weights="tiny")


def test_logits_are_torch_s(backbone: Backbone, fp32: Exported) -> None:
    engine = OpenVINOEngine(fp32, threads=1)
    assert (engine.name, engine.precision, engine.mixes) == ("openvino-cpu", "fp32", True)
    for count in (1, 5, 2):
        pixels = crops(count, backbone.input_px)
        found = engine.logits(pixels)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, reference(network(backbone), pixels), atol=1e-4, rtol=0)


def test_logits_mixed_are_those_of_each_fine_tune_alone(backbone: Backbone, fp32: Exported) -> None:
    pixels, fine_tunes = crops(4, backbone.input_px), bank(network(backbone), 3)
    engine = OpenVINOEngine(fp32, threads=1)
    found = engine.logits(pixels, mixed(fine_tunes, 2, 0, 1, 0))
    for row, at in ((2, [0]), (0, [1, 3]), (1, [2])):
        alone = engine.logits(pixels, mixed(fine_tunes, *[row] * 4))
        np.testing.assert_allclose(found[at], alone[at], atol=1e-5, rtol=0)
        due = reference(tuned(network(backbone), fine_tunes, row), pixels)
        np.testing.assert_allclose(found[at], due[at], atol=1e-4, rtol=0)
    assert np.ptp(found) > 0.1, "these networks would not tell fine-tunes from each other"


def test_logits_in_bf16_are_near(backbone: Backbone, tmp_path: Path) -> None:
    exported = export(checkpoint(backbone), tmp_path, "openvino", "bf16", weights="tiny")
    pixels, fine_tunes = crops(6, backbone.input_px), bank(network(backbone), 2)
    engine = OpenVINOEngine(exported, threads=1)
    found, due = engine.logits(pixels), reference(network(backbone), pixels)
    np.testing.assert_allclose(found, due, atol=BF16_DRIFT, rtol=0)
    found = engine.logits(pixels, mixed(fine_tunes, 0, 1, 0, 1, 0, 1))
    for row in (0, 1):
        due = reference(tuned(network(backbone), fine_tunes, row), pixels)
        np.testing.assert_allclose(found[row::2], due[row::2], atol=BF16_DRIFT, rtol=0)


def test_logits_in_int8_follow_fp32_s(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    exported = export(checkpoint(), tmp_path, "openvino", "int8", weights="tiny", calibration=list(crops(16)))
    engine = OpenVINOEngine(exported, threads=1)
    assert (engine.precision, engine.mixes) == ("int8", False)
    pixels = crops(32, seed=1)
    found, due = engine.logits(pixels), reference(network(), pixels)
    assert np.corrcoef(found, due)[0, 1] > 0.99
    assert b'element_type="i8"' in exported.model.read_bytes(), "no weights are int8"
    with pytest.raises(GendError, match="openvino-cpu int8: cannot mix fine-tunes; load with fp32 or bf16"):
        engine.logits(pixels[:1], mixed(bank(network(), 1), 0))


def test_logits_from_many_threads_are_those_of_one(tiny: Exported) -> None:
    engine = OpenVINOEngine(tiny, threads=1)
    batches = [crops(1 + seed % 3, seed=seed) for seed in range(24)]
    due = [engine.logits(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(engine.logits, batches))
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


def test_logits_refuse_what_does_not_fit_and_the_engine_goes_on(tiny: Exported) -> None:
    engine = OpenVINOEngine(tiny, threads=1)
    due = engine.logits(crops(2))
    with pytest.raises(PictureError, match="not float32"):
        engine.logits(crops(1).astype(np.float32))
    with pytest.raises(PictureError, match=r"not uint8 \(1, 30, 30, 3\)"):
        engine.logits(crops(1, 30))
    damaged = bank(network(), 1)
    damaged.norms[0, 0, 0, 0] = np.nan
    with pytest.raises(GendError, match="openvino-cpu: the encoder's answer is not a number"):
        engine.logits(crops(2), mixed(damaged, 0, 0))
    assert np.array_equal(engine.logits(crops(2)), due)


def test_engine_refuses_what_openvino_cannot_read(tiny: Exported, tmp_path: Path) -> None:
    for name in tiny.files:
        (tmp_path / name).write_bytes((tiny.folder / name).read_bytes())
    (tmp_path / "model.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"model\.xml: OpenVINO cannot run it"):
        OpenVINOEngine(Exported(tmp_path, tiny.manifest, tiny.files))


def test_engine_refuses_onnx_folders(tiny: Exported) -> None:
    onnx = Exported(tiny.folder, replace(tiny.manifest, kind="onnx"), tiny.files)
    with pytest.raises(GendError, match="is for onnx; the openvino engine runs OpenVINO IR"):
        OpenVINOEngine(onnx)


def test_settings_honour_threads_and_precision() -> None:
    genoa, haswell = CPU(x86=True, bf16=True, int8="vnni"), CPU(x86=True, bf16=False, int8="none")
    hints: dict[tuple[Precision, CPU], str] = {
        ("fp32", genoa): "f32",
        ("bf16", genoa): "bf16",
        ("int8", genoa): "bf16",
        ("int8", haswell): "f32",
    }
    for (precision, cpu), hint in hints.items():
        assert settings(precision, None, cpu)["INFERENCE_PRECISION_HINT"] == hint
    assert settings("fp32", 3, genoa)["INFERENCE_NUM_THREADS"] == 3
    assert "INFERENCE_NUM_THREADS" not in settings("fp32", None, genoa)
