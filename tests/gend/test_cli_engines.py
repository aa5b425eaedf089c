from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from gend import cli_engines
from gend.backbones import DEMO_VIT
from gend.checkpoint import load_checkpoint
from gend.engines.exported import Exported, read_exported
from gend.engines.reports import find_reports
from gend.errors import GendError
from gend.export import export
from tests.gend.engines.networks import crops

PX = DEMO_VIT.input_px

runner = CliRunner()
app = typer.Typer()
app.command()(cli_engines.export)
app.command()(cli_engines.compare)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Aligned, 20 real and 20 fake."""
    folder = tmp_path_factory.mktemp("faces")
    for number, pixels in enumerate(crops(40, PX)):
        path = folder / ("real" if number % 2 else "fake") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("fp32") / "made"
    return export(load_checkpoint("demo"), folder, "openvino", "fp32", weights="demo")


def test_export_then_compare_lets_auto_take_int8(faces: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    out = tmp_path / "int8"
    arguments = ["export", "demo", "--precision", "int8", "--pictures", str(faces), "--aligned", "--crops", "4"]
    done = runner.invoke(app, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"{out}: model.xml, " in done.stdout
    assert "calibration: 4 faces" in done.stderr
    exported = read_exported(out)
    assert exported.manifest.calibration is not None
    assert exported.manifest.calibration.crops == 4

    done = runner.invoke(app, ["compare", "demo", str(out), str(faces), "--aligned", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["crops"], found["real"], found["fake"]) == (40, 20, 20)
    assert (found["a"]["engine"], found["b"]["precision"]) == ("torch-cpu", "int8")
    figures = found["figures"]
    assert figures["max_drift"] > figures["mean_drift"] > 0
    assert figures["auroc_difference"] == pytest.approx(figures["auroc_b"] - figures["auroc_a"])
    assert "int8 counts where max_logit_drift is" in done.stderr
    [report] = find_reports(found["a"]["weights_sha256"])
    assert (report.model_sha256, report.max_drift) == (exported.sha256, figures["max_drift"])


def test_compare_fails_where_a_logit_drifts_too_far(fp32: Exported, faces: Path) -> None:
    arguments = ["compare", "demo", str(fp32.folder), str(faces / "real"), "--aligned", "--max-drift"]
    done = runner.invoke(app, [*arguments, "0.001"])
    assert done.exit_code == 0, done.output
    assert "largest drift of a logit" in done.stdout
    assert "20 crops" in done.stdout
    assert find_reports(fp32.manifest.weights_sha256) == [], "fp32 needs no report"
    done = runner.invoke(app, [*arguments, "0"])
    assert done.exit_code == 1
    assert "error: a logit differs by" in done.stderr


def test_compare_goes_on_behind_a_file_that_cannot_be_read(fp32: Exported, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("nothing")
    pictures = [str(tmp_path / "broken.png"), str(faces / "real")]
    done = runner.invoke(app, ["compare", str(fp32.folder), str(fp32.folder), *pictures, "--aligned", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["figures"]["max_drift"] == 0
    assert done.stderr.count("broken.png") == 1, "told once, though both detectors came across it"


def test_export_writes_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    done = runner.invoke(app, ["export", "demo", "--to", "onnx", "--out", str(tmp_path / "onnx")])
    assert done.exit_code == 0, done.output
    assert read_exported(tmp_path / "onnx").model.is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--precision", "int8"], "--precision int8 needs --pictures"),
        (["--pictures", "somewhere"], "--pictures are for --precision int8"),
        (["--to", "onnx", "--precision", "bf16"], "--to onnx is fp32"),
    ],
)
def test_export_refuses_what_excludes_itself(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = runner.invoke(app, ["export", "demo", "--out", str(tmp_path / "out"), *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_export_without_faces_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "empty.png")
    done = runner.invoke(
        app, ["export", "demo", "--precision", "int8", "--pictures", str(tmp_path), "--out", str(tmp_path / "out")]
    )
    assert isinstance(done.exception, GendError)
    assert "no faces in these pictures" in str(done.exception)
