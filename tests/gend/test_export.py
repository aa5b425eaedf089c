from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gend.backbones import Backbone
from gend.engines.exported import MANIFEST, Exported, is_exported, read_exported
from gend.errors import GendError, WeightsError
from gend.export import export
from gend.openvino_core import openvino_core
from tests.gend.engines.networks import SMALL_DEMO, TINY_DINO, TINY_PE, checkpoint, crops, network, reference


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("exported") / "made"
    return export(checkpoint(SMALL_DEMO), folder, "openvino", "fp32", weights="some/weights")


@pytest.fixture(scope="module", params=[TINY_PE, TINY_DINO], ids=lambda backbone: backbone.name)
def onnx_export(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, Backbone]:
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("onnx") / "made"
    return export(checkpoint(request.param), folder, "onnx", "fp32", weights="tiny"), request.param


def test_onnx_is_read_back_by_openvino(onnx_export: tuple[Exported, Backbone]) -> None:
    exported, backbone = onnx_export
    compiled = openvino_core().compile_model(exported.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, 3):
        pixels = crops(count, backbone.input_px)
        found = compiled({"crops": pixels})["log_odds"]
        np.testing.assert_allclose(found, reference(network(backbone), pixels), atol=1e-4, rtol=0)


def test_onnx_is_valid_and_runs_on_onnx_runtime(onnx_export: tuple[Exported, Backbone]) -> None:
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    exported, backbone = onnx_export
    onnx.checker.check_model(str(exported.model), full_check=True)
    session = onnxruntime.InferenceSession(str(exported.model), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        pixels = crops(count, backbone.input_px)
        [found] = session.run(["log_odds"], {"crops": pixels})
        np.testing.assert_allclose(found, reference(network(backbone), pixels), atol=1e-4, rtol=0)


def test_folder_says_what_it_is(written: Exported) -> None:
    assert is_exported(written.folder)
    read = read_exported(str(written.folder))
    assert read == written
    assert read.sha256 == written.sha256
    manifest = read.manifest
    assert (manifest.weights, manifest.backbone, manifest.input_px) == ("some/weights", "small-demo", 32)
    assert manifest.notices == ("demo encoder: not for real use",)
    assert {"openvino", "torch", "gend-monitor"} <= manifest.made_with.keys()
    own = network(SMALL_DEMO).tuning()
    assert np.array_equal(read.own().norms, own.norms[0])


def damaged(written: Exported, folder: Path) -> Path:
    return Path(shutil.copytree(written.folder, folder))


def test_folder_with_a_truncated_file_is_refused(written: Exported, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path / "copy")
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=rf"model\.bin: damaged: not the file that {MANIFEST} was written for"):
        read_exported(folder)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"model\.bin: cannot be read"):
        read_exported(folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 2, "its format is 2; this version reads 1"),
        ("precision", "fp4", "precision is 'fp4', not one of fp32, bf16, int8"),
        ("input_px", "32", "input_px is '32'"),
        ("files", {"model.xml": ""}, "it does not list model.bin, own.safetensors"),
        ("files", None, "files is None"),
        ("calibration", 3, "calibration is 3"),
    ],
)
def test_folder_with_a_damaged_manifest_is_refused(
    written: Exported, tmp_path: Path, key: str, value: object, said: str
) -> None:
    folder = damaged(written, tmp_path / "copy")
    content = json.loads((folder / MANIFEST).read_text()) | {key: value}
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(WeightsError) as caught:
        read_exported(folder)
    assert str(caught.value).startswith(f"{folder / MANIFEST}: ")
    assert said in str(caught.value)


def test_folder_cannot_name_files_outside(written: Exported, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path / "copy")
    content = json.loads((folder / MANIFEST).read_text())
    content["files"]["../secret"] = "ab"
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=r"file '\.\./secret' lies outside its folder"):
        read_exported(folder)


def test_export_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(GendError, match="precision bf16: ONNX is written in fp32"):
        export(checkpoint(), tmp_path, "onnx", "bf16", weights="tiny")
    with pytest.raises(GendError, match="precision int8: needs pictures of faces"):
        export(checkpoint(), tmp_path, "openvino", "int8", weights="tiny")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(GendError, match="not empty"):
        export(checkpoint(), tmp_path, "openvino", "fp32", weights="tiny")
    with pytest.raises(GendError, match="cannot be written"):
        export(checkpoint(), tmp_path / "mine.txt", "openvino", "fp32", weights="tiny")


def test_nothing_is_told_to_the_makers_of_openvino(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    check = (
        "import gend, openvino, nncf, sys\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "assert telemetry_utils.tm.__name__.endswith('telemetry_stub'), telemetry_utils.tm\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", check], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "intel").exists(), "a client id was made up"
