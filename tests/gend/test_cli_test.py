"""`gend test`, from a configuration to a folder with a report."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from gend import cli_test
from gend.adapter import cut_adapter
from gend.checkpoint import load_checkpoint, save_checkpoint
from gend.errors import ConfigError, GendError, PictureError, WeightsError
from gend.metrics import probability
from tests.gend.evaluation.trees import make_tree

pytest.importorskip("matplotlib")

runner = CliRunner()
app = typer.Typer()
app.command()(cli_test.evaluate)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Ten videos of either class, of two manipulations."""
    make_tree(tmp_path / "tree", videos=10, sources=("real", "swap", "reenact"))
    path = tmp_path / "mine.yaml"
    path.write_text(f"weights: demo\nthreads: 1\nroot: {tmp_path}/tree\nsets: {{noise: {{about: Noise & <b>more}}}}\n")
    return path


def run(*arguments: object, code: int = 0) -> Any:
    done = runner.invoke(app, [str(each) for each in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


def test_a_report_comes_out_that_needs_nothing_else(config: Path, tmp_path: Path) -> None:
    done = run(config, "--out", tmp_path / "out")
    assert str(tmp_path / "out/report.html") in done.stdout
    assert "notice: demo encoder: not for real use" in done.stderr
    report = (tmp_path / "out/report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!#)|url\((?!#)|<script|<link|@import""", report)
    assert report.count("<svg") == 3  # overview, curves, scores
    assert "Noise &amp; &lt;b&gt;more" in report
    for said in ("demo encoder: not for real use", "currentColor", "prefers-color-scheme: dark", "sets:", "SHA-256"):
        assert said in report
    ids = re.findall(r' id="([^"]+)"', report)
    assert len(ids) == len(set(ids))
    assert len(list((tmp_path / "out/plots").glob("*.svg"))) == 3


def test_figures_are_scikit_learns_of_the_scores_that_are_kept(config: Path, tmp_path: Path) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    done = run(config, "--out", tmp_path / "out", "--json")
    found = json.loads(done.stdout)
    assert found == results(tmp_path / "out")
    with (tmp_path / "out/scores/gend/noise.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    p = probability(np.array([float(row["logit"]) for row in rows]))
    labels = np.array([int(row["label"]) for row in rows])
    of_frames, of_videos = (
        next(row for row in found["figures"] if row["level"] == level and row["source"] is None)
        for level in ("frame", "video")
    )
    assert of_frames["auroc"] == pytest.approx(sklearn.roc_auc_score(labels, p), abs=1e-6)
    assert of_frames["average_precision"] == pytest.approx(sklearn.average_precision_score(labels, p), abs=1e-6)
    means = p.reshape(30, 2).mean(axis=1)  # rows of a video follow each other
    assert of_videos["auroc"] == pytest.approx(sklearn.roc_auc_score(labels[::2], means), abs=1e-6)
    assert of_videos["auroc_low"] <= of_videos["auroc"] <= of_videos["auroc_high"]
    assert {row["source"] for row in found["figures"]} == {None, "swap", "reenact"}
    with (tmp_path / "out/figures.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(found["figures"])


def test_the_same_folder_gives_the_same_and_scores_alone_suffice(config: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    run(config, "--out", out)
    first = (out / "report.html").read_text()
    run(config, "--out", out)
    assert (out / "report.html").read_text() == first
    run(config, f"scores={out}/scores", f"root={tmp_path}/gone", "--out", again)
    assert results(again)["figures"] == results(out)["figures"]
    assert results(again)["sets"] == results(out)["sets"]
    assert results(again)["detectors"] == results(out)["detectors"]
    with pytest.raises(GendError, match=r"detector\.json: cannot be read .*: no scores of an earlier run"):
        run(config, f"scores={tmp_path}/gone", "--out", again)


def test_robustness_and_another_detector_beside_ours(config: Path, tmp_path: Path) -> None:
    run(
        config,
        "beside.half={kind: gend, weights: 'demo@torch:bf16', threads: 1}",
        "robustness={videos: 8, frames_per_video: 1, jpeg: [10], blur: [], resize: [16],"
        " interpolations: [box, lanczos], noise: [0.2], h264: [45]}",
        "--out",
        tmp_path / "out",
    )
    found = results(tmp_path / "out")
    assert [each["identity"]["precision"] for each in found["detectors"]] == ["fp32", "bf16"]
    rows = [(row["detector"], row["corruption"], row["severity"], row["filter"]) for row in found["robustness"]]
    ours: list[tuple[object, ...]] = [
        (None, None, None),
        ("jpeg", 10, None),
        ("resize", 16, "box"),
        ("resize", 16, "lanczos"),
    ]
    ours += [("noise", 0.2, None), ("h264", 45, None)]
    assert rows == [(name, *each) for name in ("gend", "half") for each in ours]
    assert all((row["real"], row["fake"]) == (8, 8) for row in found["robustness"])
    clean, *worse = (row["auroc"] for row in found["robustness"][:6])
    for row in found["robustness"][1:6]:
        assert row["auroc_less_uncorrupted"] == pytest.approx(row["auroc"] - clean, abs=2e-6)
    assert set(worse) != {clean}
    others = [row for row in found["figures"] if row["detector"] == "half"]
    assert all(row["auroc_less_first_detectors"] is not None for row in others)
    report = (tmp_path / "out/report.html").read_text()
    assert report.count("<svg") == 6
    assert (tmp_path / "out/robustness.csv").exists()
    run(config, f"scores={tmp_path}/out/scores", "robustness={videos: 8, jpeg: [10], blur: [], resize: [], noise: [],"
        " h264: []}", "--out", tmp_path / "again")  # fmt: skip
    assert results(tmp_path / "again")["robustness"] == found["robustness"][:2]


def test_one_class_alone_has_a_report_that_says_so(config: Path, tmp_path: Path) -> None:
    run(config, "sets.noise.lists=[set/swap]", "--out", tmp_path / "out")
    found = results(tmp_path / "out")
    assert {row["auroc"] for row in found["figures"]} == {None}
    assert "noise: one class alone, hence no figures; it counts in the pot of all sets." in found["caveats"]
    assert "one class alone" in (tmp_path / "out/report.html").read_text()


def test_one_video_of_each_class_has_figures_without_intervals(config: Path, tmp_path: Path) -> None:
    run(config, "sets.noise.lists=[set/real/v0, set/swap/v0]", "--out", tmp_path / "out")
    [row] = [row for row in results(tmp_path / "out")["figures"] if (row["level"], row["pooling"]) == ("video", "mean")]
    assert row["auroc"] in (0, 1)
    assert row["auroc_low"] is None


def test_released_weights_and_sets_they_were_selected_on_are_told(config: Path, tmp_path: Path) -> None:
    """The release is not at hand: scores of another detector stand in for its own."""
    run(config, "--out", tmp_path / "out")
    file = tmp_path / "out/scores/gend/detector.json"
    known = json.loads(file.read_text()) | {"weights": "yermandy/GenD_CLIP_L_14", "notices": []}
    file.write_text(json.dumps(known))
    again = ["scores=" + str(tmp_path / "out/scores"), "--out", tmp_path / "again"]
    run(config, *again)
    assert "not fully cross-dataset" not in (tmp_path / "again/report.html").read_text()
    run(config, "sets.noise.selected_on=true", *again)
    assert (
        "so rows of these data sets are not fully cross-dataset: noise by gend"
        in (tmp_path / "again/report.html").read_text()
    )


def test_pictures_that_cannot_be_read_are_refused_or_counted(config: Path, tmp_path: Path) -> None:
    (tmp_path / "tree/set/real/v1/0.png").write_bytes(b"nothing")
    with pytest.raises(PictureError, match=r"set/real/v1/0\.png: cannot be read: not a picture"):
        run(config, "--out", tmp_path / "out")
    done = run(config, "skip_unreadable=true", "--out", tmp_path / "out", code=1)
    assert "set/real/v1/0.png: cannot be read" in done.stderr
    found = results(tmp_path / "out")
    assert (found["sets"][0]["crops"], len(found["unreadable"])) == (59, 1)
    assert "Crops that could not be read and are left out: 1 " in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("sets.noise.lists=[set/gone]", PictureError, "set/gone: no such list or folder"),
        ("root=nowhere", PictureError, "sets.noise: nowhere: no such folder"),
        ("weights=nowhere.safetensors", WeightsError, "gend: nowhere.safetensors: no such file"),
        ("wieghts=demo", ConfigError, "wieghts=demo: wieghts: unknown key"),
        ("batch=0", ConfigError, "batch=0: batch: Input should be greater than or equal to 1"),
        ("sets={}", ConfigError, "sets: Dictionary should have at least 1 item"),
        ("beside.x.kind=tensorflow", ConfigError, "beside"),
    ],
)
def test_what_is_wrong_is_said(config: Path, tmp_path: Path, change: str, error: type[GendError], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)):
        run(config, change, "--out", tmp_path / "out")


def test_what_was_trained_on_is_refused(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="30 source videos are in the training data as well"):
        run(config, f"trained_on=[{{root: {tmp_path}/tree}}]", "--out", tmp_path / "out")


@pytest.mark.parametrize("as_adapter", [False, True])
@pytest.mark.parametrize("of_made_pairs", [False, True])
def test_weights_say_themselves_what_they_were_trained_on(
    config: Path, tmp_path: Path, as_adapter: bool, of_made_pairs: bool
) -> None:
    """As `gend train` writes it into what it trains. Pairs are made of real faces alone."""
    model = load_checkpoint("demo").model
    tree: dict[str, Any] = {"root": str(tmp_path / "tree"), "lists": ["set/real/v0"]}
    if of_made_pairs:
        tree = {
            "root": None,
            "lists": [],
            "generate": {**tree, "sources": "crops", "lists": ["set/real/v0", "set/swap/v1"]},
        }
    metadata = {"configuration": json.dumps({"data": {"train": tree}})}
    file = tmp_path / "tuned.safetensors"
    if as_adapter:
        cut_adapter(model, metadata).save(file)
    else:
        save_checkpoint(model, file, metadata)
    change = f"adapter={file}" if as_adapter else f"weights={file}"
    with pytest.raises(ConfigError) as raised:
        run(config, change, "--out", tmp_path / "out")
    assert str(raised.value).splitlines() == [
        "sets.noise: 3 source videos are in the training data as well",
        "sets.noise: set/real/v0 (trained on)",
        "sets.noise: set/reenact/v0 (made from set/real/v0, which was trained on)",
        "sets.noise: set/swap/v0 (made from set/real/v0, which was trained on)",
    ]
    others = ", ".join(f"set/{source}/v{number}" for source in ("real", "swap") for number in range(1, 10))
    run(config, change, f"sets.noise.lists=[{others}]", "--out", tmp_path / "out")
    assert "it was not checked" not in (tmp_path / "out/report.html").read_text()
    run(config, "--out", tmp_path / "out")
    assert "What gend learnt from is not said" in (tmp_path / "out/report.html").read_text()


def test_pairs_of_own_faces_are_footage_and_said_to_be_made(config: Path, tmp_path: Path) -> None:
    generate = f"{{sources: crops, root: {tmp_path}/tree, pairs: 2, frames: 1, side_px: 48}}"
    run(config, f"sets.noise.generate={generate}", "--out", tmp_path / "out")
    said = results(tmp_path / "out")["caveats"]
    assert any(line.startswith("noise: pairs of real faces of this footage") for line in said)
    assert any("it was not checked" in line for line in said)
    assert not any("demo encoder has learnt from" in line for line in said)
    run(config, "sets.noise.generate={sources: drawn, pairs: 2, frames: 1}", "--out", tmp_path / "out")
    said = results(tmp_path / "out")["caveats"]
    assert any(line.startswith("noise: drawn by this project, no camera") for line in said)
    assert not any("it was not checked" in line for line in said)


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_scored(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"--out .*file/out: cannot be written"):
        run(config, "--out", tmp_path / "file/out")


def test_list_and_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    listed = run("--list").stdout
    assert "configs/eval/example.yaml" in listed
    assert "base.yaml" not in listed
    assert "CONFIG is missing" in run(code=2).output


def test_every_configuration_of_the_project_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    from gend.evaluation.config import Evaluation
    from gend.experiments import load_experiment

    folder = Path(__file__).parents[2] / "configs/eval"
    read = {path.stem: load_experiment(path, Evaluation) for path in folder.glob("*.yaml") if path.stem != "base"}
    selected = {name for name, section in read["all"].sets.items() if section.selected_on}
    assert selected == {"CDFv3", "FFIW", "DeepSpeak 1.1", "DeepSpeak 2.0"}
    assert len(read["all"].sets) == 15
    assert read["robustness"].robustness is not None
    assert len(read["comparators"].detectors) == 6


def test_the_example_runs_in_small_and_shows_what_was_trained_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = Path(__file__).parents[2] / "configs/eval/example.yaml"
    small = ["sets.drawn.generate.pairs=10", "sets.drawn.generate.frames=2", "sets.drawn.generate.sources=drawn"]
    monkeypatch.chdir(tmp_path)
    done = run(example, *small, "threads=1", "--out", "out")
    assert "notice: what you trained is left out: runs/example/model.safetensors: no such file" in done.stderr
    found = results(tmp_path / "out")
    low_resolution = next(row for row in found["figures"] if row["source"] == "low-resolution")
    assert low_resolution["auroc"] > 0.8, "what the demo encoder has learnt"
    assert found["sets"][0]["paired"]
    assert [each["name"] for each in found["detectors"]] == ["gend"]

    (tmp_path / "runs/example").mkdir(parents=True)
    save_checkpoint(load_checkpoint("demo").model, tmp_path / "runs/example/model.safetensors", {})
    done = run(example, *small, "threads=1", "beside.what you trained.threads=1", "--out", "out")
    assert "left out" not in done.stderr
    found = results(tmp_path / "out")
    assert [each["name"] for each in found["detectors"]] == ["gend", "what you trained"]
    ours, mine = (
        [row["auroc"] for row in found["figures"] if row["detector"] == name] for name in ("gend", "what you trained")
    )
    assert ours == mine, "it is a copy"

    again = ["scores=out/scores", "beside.other={kind: gend, weights: demo, optional: true}", "--out", "again"]
    assert "notice: other is left out: out/scores/other: no such file" in run(example, *small, *again).stderr
    assert [each["name"] for each in results(tmp_path / "again")["detectors"]] == ["gend", "what you trained"]


def test_where_all_detectors_are_optional_and_missing_it_is_an_error(config: Path, tmp_path: Path) -> None:
    beside = "beside={mine: {kind: gend, weights: gone.safetensors, optional: true}}"
    with pytest.raises(ConfigError, match=r"no detector is there\nmine is left out: gone\.safetensors: no such"):
        run(config, "weights=null", beside, "--out", tmp_path / "out")
