from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gend.backbones import DEMO_VIT
from gend.catalogue import CATALOGUE
from gend.checkpoint import save_checkpoint
from gend.cli import main
from gend.network import GenD
from gend.video import Sampling, Video
from tests.gend.fetched import fetched, offer_models
from tests.gend.videos import write_video

Gend = Callable[..., int]


@pytest.fixture
def gend(monkeypatch: pytest.MonkeyPatch) -> Gend:
    """Runs the command line in this process; returns its exit code."""
    offer_models(monkeypatch)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["gend", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo encoder with first weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "first.safetensors"
    save_checkpoint(GenD(DEMO_VIT), path, {})
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with Image.open(fetched("astronaut")) as picture:
        face = np.asarray(picture.convert("RGB"))[20:276, 96:352]
    return write_video(tmp_path / "clip.mp4", [np.roll(face, 2 * step, axis=1) for step in range(8)], gop=4)


def test_score_json(gend: Gend, weights: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    picture = fetched("faces-t1")
    assert gend("score", picture, clip, "--weights", weights, "--detector", "blazeface", "--frames", 5, "--json") == 0
    output = capsys.readouterr()
    of_picture, of_clip = (json.loads(line) for line in output.out.splitlines())
    for scored in (of_picture, of_clip):
        assert list(scored) == ["path", "frames", "faces", "mean", "median", "tracks", "left_out"]
        assert all(list(track)[:4] == ["id", "frames", "mean", "median"] for track in scored["tracks"])
        assert 0 < scored["mean"] < 1
    assert (of_picture["path"], of_picture["frames"], of_picture["faces"]) == (str(picture), 1, 6)
    assert (of_clip["path"], of_clip["frames"], of_clip["faces"], len(of_clip["tracks"])) == (str(clip), 5, 5, 1)
    assert output.err == "notice: demo encoder: not for real use\n"


def test_score_table(
    gend: Gend, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched("blazeface")
    monkeypatch.setenv("COLUMNS", "200")
    assert gend("score", fetched("coffee"), fetched("faces-t1"), "--weights", weights, "--detector", "blazeface") == 0
    table = capsys.readouterr().out
    assert "coffee.png" in table
    assert "no face" in table
    assert "t1.jpg" in table
    assert "face 6" in table


def test_score_every_frame(gend: Gend, weights: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    assert gend("score", clip, "--weights", weights, "--detector", "blazeface", "--json", "--every-frame") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 8


def test_score_chosen_faces(gend: Gend, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    picture = fetched("faces-t1")
    for option, faces in ((("--faces", "largest"), 1), (("--min-face-px", 200), 0)):
        assert gend("score", picture, "--weights", weights, "--detector", "blazeface", "--json", *option) == 0
        assert json.loads(capsys.readouterr().out)["faces"] == faces


def test_score_details(gend: Gend, weights: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    options = ("--weights", weights, "--detector", "blazeface", "--stride", 4, "--json", "--details")
    assert gend("score", clip, *options) == 0
    scored = json.loads(capsys.readouterr().out)
    assert [(face["frame"], face["at_s"], face["track"]) for face in scored["details"]] == [(0, 0.0, 1), (4, 0.16, 1)]
    assert scored["mean"] == pytest.approx(np.mean([face["p_fake"] for face in scored["details"]]))


def test_score_annotate(gend: Gend, weights: Path, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    folder = clip.parent / "footage"
    (folder / "other").mkdir(parents=True)
    for place in (folder, folder / "other"):
        shutil.copy(clip, place)
        shutil.copy(fetched("astronaut"), place / "astronaut.png")
    copies = folder / "copies"
    command = ("score", folder, clip, "--weights", weights, "--detector", "blazeface", "--json", "--annotate", copies)
    for _ in range(2):  # the copies of the first run are not scored by the second
        assert gend(*command) == 0
        scored = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [str(Path(one["annotated"]).relative_to(copies)) for one in scored] == [
            "astronaut.png",
            "clip.mp4",
            "other/astronaut.png",
            "other/clip.mp4",
            "clip-2.mp4",
        ]
    with Image.open(copies / "astronaut.png") as copy, Image.open(folder / "astronaut.png") as original:
        pixels = np.asarray(original.convert("RGB"))
        assert (np.asarray(copy)[: original.height] != pixels).any()
    assert len(list(Video(copies / "clip.mp4").frames(Sampling(stride=1)))) == 8


def test_score_annotate_refused_before_any_work(gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(picture)
    for target in (picture, picture / "copies"):
        assert gend("score", picture, "--weights", "no-such-file.safetensors", "--annotate", target) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.endswith(f"--annotate: {target}: a folder is needed, and this is a file or lies in one")


def test_score_annotate_into_what_is_scored(gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert gend("score", tmp_path, "--weights", "no-such-file.safetensors", "--annotate", tmp_path) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: annotated copies must not go to the folder that is scored; give another\n"
    )


def test_score_goes_on_after_bad_files(
    gend: Gend, weights: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched("blazeface")
    (tmp_path / "notes.txt").write_text("nothing to see")
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = (tmp_path / "absent.png", empty, tmp_path / "notes.txt", clip)
    options = ("--weights", weights, "--detector", "blazeface", "--json", "--annotate", tmp_path / "copies")
    assert gend("score", *paths, *options) == 1
    output = capsys.readouterr()
    assert [json.loads(line)["path"] for line in output.out.splitlines()] == [str(clip)]
    errors = [line for line in output.err.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {tmp_path}/absent.png: no such file",
        f"error: {empty}: no pictures or videos in this folder",
        f"error: {tmp_path}/notes.txt: cannot read it as a picture or video: Invalid data found when processing input",
    ]
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["clip.mp4"]


def test_score_nothing_to_score(gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gend("score", tmp_path / "absent.png", "--weights", "no-such-file.safetensors") == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/absent.png: no such file\n"


def test_score_wrong_weights(gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetched("blazeface")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    absent = tmp_path / "absent.safetensors"
    assert gend("score", tmp_path / "a.png", "--weights", absent, "--detector", "blazeface") == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert str(absent) in error


def test_score_debug_shows_the_traceback(gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gend("score", tmp_path / "absent.png", "--debug") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == f"error: {tmp_path}/absent.png: no such file"


@pytest.mark.parametrize(
    "arguments",
    [
        ("score",),
        ("score", "a.png", "--frames", "0"),
        ("score", "a.png", "--stride", "0"),
        ("score", "a.png", "--frames", "8", "--stride", "2"),
        ("score", "a.png", "--stride", "2", "--every-frame"),
        ("score", "a.png", "--details"),
        ("score", "a.png", "--faces", "some"),
        ("score", "a.png", "--detector", "haar"),
        ("score", "a.png", "--detector", "yunet:file.onnx"),
        ("scare",),
    ],
)
def test_bad_usage(gend: Gend, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert gend(*arguments) == 2
    output = capsys.readouterr()
    assert "Error: " in output.err
    assert output.out == ""


def test_fetch_lists_what_there_is(
    gend: Gend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert gend("fetch") == 0
    listed = capsys.readouterr().out
    for artifact in CATALOGUE.values():
        assert artifact.name in listed
        assert artifact.licence in listed
    assert "317 kB" in listed


def test_fetch_prints_where_files_lie(gend: Gend, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [fetched("astronaut"), fetched("coffee")]
    assert gend("fetch", "astronaut", "coffee") == 0
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]


def test_fetch_goes_on_after_unknown_names(gend: Gend, capsys: pytest.CaptureFixture[str]) -> None:
    path = fetched("astronaut")
    assert gend("fetch", "nobody", "astronaut") == 1
    output = capsys.readouterr()
    assert output.out.splitlines() == [str(path)]
    assert output.err.startswith("error: nobody: ")
    assert output.err.count("\n") == 1


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
sys.argv = ["gend", "score", "--help"]
from gend.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code
    assert not {"torch", "cv2", "openvino", "av", "scipy", "numpy"} & set(sys.modules), "imported"
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "gend score photo.jpg --weights demo" in ran.stdout
