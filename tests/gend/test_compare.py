from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from gend.compare import Comparison, Figures, Side, compare, drift, report_of
from gend.engines.exported import Exported
from gend.engines.reports import FEWEST_CROPS
from gend.engines.spec import Spec
from gend.errors import GendError, PictureError
from gend.export import export
from gend.face_crops import AlignedFace, aligned_faces, face_files
from tests.gend.engines.networks import checkpoint, crops


def test_drift_is_what_the_text_books_say() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(200).round(1)  # with ties
    b = a + rng.normal(0, 0.3, 200)
    labels = (a + rng.standard_normal(200) > 0).astype(float)
    found = drift(a, b, labels)
    assert found.max_drift == np.abs(a - b).max()
    assert found.mean_drift == pytest.approx(np.abs(a - b).mean())
    assert found.rank_correlation == pytest.approx(spearmanr(a, b).statistic)
    assert found.auroc_a == pytest.approx(roc_auc_score(labels, a))
    assert found.auroc_b == pytest.approx(roc_auc_score(labels, b))
    assert found.auroc_difference == pytest.approx(roc_auc_score(labels, b) - roc_auc_score(labels, a))


def test_drift_leaves_out_what_is_not_known() -> None:
    a, unknown = np.array([0.0, 1, 2]), np.full(3, np.nan)
    same = drift(a, a, unknown)
    assert (same.max_drift, same.mean_drift, same.auroc_a, same.auroc_b) == (0, 0, None, None)
    assert same.rank_correlation == pytest.approx(1)
    assert same.auroc_difference is None
    assert drift(a, np.zeros(3), np.zeros(3)).rank_correlation is None
    assert drift(a, a, np.zeros(3)).auroc_a is None, "of one label alone"
    assert drift(a, a, np.array([0.0, 1, np.nan])).auroc_a == 1


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("demo", Spec("demo", "torch", "fp32")),
        ("owner/name@openvino", Spec("owner/name", "openvino", "fp32")),
        ("a@b/c.safetensors@openvino:bf16", Spec("a@b/c.safetensors", "openvino", "bf16")),
        ("demo@torch:bf16", Spec("demo", "torch", "bf16")),
    ],
)
def test_spec_is_weights_and_a_way_to_run_them(text: str, spec: Spec) -> None:
    assert Spec.parse(text) == spec


@pytest.mark.parametrize("text", ["demo@onnx", "demo@openvino:fp4", "demo@"])
def test_spec_refuses_other_ways(text: str) -> None:
    with pytest.raises(GendError, match="behind @ stands torch or openvino, then maybe :fp32, :bf16 or :int8"):
        Spec.parse(text)


def test_files_are_labelled_by_their_folders(tmp_path: Path) -> None:
    names = ["set/Real-youtube/a/0.png", "set/Deepfakes/a/0.png", "set/Face2Face/b/real.png", "set/celeb-REAL.v/0.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    found = {file.path.relative_to(tmp_path).as_posix(): file.label for file in face_files([tmp_path / "set"], 100)}
    assert found == dict(zip(names, [0, 1, 1, 0], strict=True))
    given = face_files([tmp_path / "set" / "Real-youtube", tmp_path / names[1]], 100)
    assert [file.label for file in given] == [0, 1]
    assert [file.label for file in face_files([tmp_path / "set" / "Deepfakes"], 100)] == [None]


def test_files_are_spread_evenly_where_there_are_too_many(tmp_path: Path) -> None:
    for number in range(10):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.png")
    assert [file.path.name for file in face_files([tmp_path, tmp_path], 4)] == ["0.png", "3.png", "6.png", "9.png"]
    with pytest.raises(PictureError, match="no such file"):
        face_files([tmp_path / "none"], 4)


def test_files_that_cannot_be_read_are_told_and_left_out(tmp_path: Path) -> None:
    Image.fromarray(crops(1)[0]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    (tmp_path / "c.jpg").write_text("nothing")
    failures: list[GendError] = []
    faces = list(aligned_faces(face_files([tmp_path], 10), None, failures.append))
    assert [face.file.path.name for face in faces] == ["a.png"]
    assert np.array_equal(faces[0].pixels, crops(1)[0])
    assert ["b.png" in str(failures[0]), "c.jpg" in str(failures[1])] == [True, True]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(checkpoint(), tmp_path_factory.mktemp("fp32"), "openvino", "fp32", weights="tiny")


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    pytest.importorskip("nncf")
    folder = tmp_path_factory.mktemp("int8")
    return export(checkpoint(), folder, "openvino", "int8", weights="tiny", calibration=list(crops(8)))


@pytest.fixture
def faces(tmp_path: Path) -> list[AlignedFace]:
    for number, pixels in enumerate(crops(40, 36, seed=2)):
        path = tmp_path / ("real" if number % 2 else "fake") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    failures: list[GendError] = []
    found = list(aligned_faces(face_files([tmp_path], 100), None, failures.append))
    assert not failures
    return found


def test_compare_of_an_int8_network_is_kept_for_auto(fp32: Exported, int8: Exported, faces: list[AlignedFace]) -> None:
    a, b = Spec.parse(str(fp32.folder)), Spec.parse(str(int8.folder))
    comparison = compare(a, b, lambda: faces, threads=1)
    assert (comparison.crops, comparison.real, comparison.fake) == (40, 20, 20)
    assert (comparison.a.precision, comparison.b.precision) == ("fp32", "int8")
    figures = comparison.figures
    assert 0 < figures.mean_drift < figures.max_drift
    assert figures.rank_correlation is not None
    assert figures.rank_correlation > 0.95
    assert figures.auroc_difference is not None
    report = report_of(comparison, b)
    assert report is not None
    assert (report.weights_sha256, report.model_sha256) == (checkpoint().sha256, int8.sha256)
    assert (report.folder, report.max_drift) == (str(int8.folder), figures.max_drift)


def test_compare_of_anything_else_is_not(fp32: Exported, int8: Exported) -> None:
    figures = Figures(0.01, 0.01, 1, None, None)
    one = Side("a", "ab" * 32, "torch-cpu", "fp32")
    two = Side("b", "ab" * 32, "openvino-cpu", "int8")
    folder = Spec(str(int8.folder))
    good = Comparison(one, two, FEWEST_CROPS, 0, 0, figures)
    assert report_of(good, folder) is not None
    few = Comparison(one, two, FEWEST_CROPS - 1, 0, 0, figures)
    other_weights = Comparison(Side("a", "cd" * 32, "torch-cpu", "fp32"), two, 64, 0, 0, figures)
    rounded = Comparison(Side("a", "ab" * 32, "torch-cpu", "bf16"), two, 64, 0, 0, figures)
    for comparison in (few, other_weights, rounded, Comparison(one, one, 64, 0, 0, figures)):
        assert report_of(comparison, folder) is None


def test_compare_needs_faces(fp32: Exported) -> None:
    spec = Spec.parse(str(fp32.folder))
    with pytest.raises(GendError, match="no faces in these pictures"):
        compare(spec, spec, list, threads=1)


def test_compare_notices_that_the_pictures_changed(fp32: Exported, faces: list[AlignedFace]) -> None:
    spec, runs = Spec.parse(str(fp32.folder)), iter((faces, faces[1:]))
    with pytest.raises(GendError, match="the pictures changed"):
        compare(spec, spec, lambda: next(runs), threads=1)
