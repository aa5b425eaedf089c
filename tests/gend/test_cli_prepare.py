from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gend.cli import main
from gend.data.crop_files import find_crops
from tests.gend.data.footage import face_picture, need_detector, write_face, write_faceless
from tests.gend.fetched import offer_models
from tests.interruptible import interruptible
from tests.waiting import wait_until

Gend = Callable[..., int]
QUICK = ("--min-face-px=30", "--workers=1")


def said(errors: str) -> list[str]:
    """Lines on stderr, but for what BlazeFace is warned of where YuNet cannot be had."""
    return [line for line in errors.splitlines() if not line.startswith("warning: ")]


@pytest.fixture
def gend(monkeypatch: pytest.MonkeyPatch) -> Gend:
    """Runs `gend prepare` in this process; returns its exit code."""
    offer_models(monkeypatch)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["gend", "prepare", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offer_models(monkeypatch)
    need_detector()
    write_face(tmp_path / "src/real/anna.mp4")
    write_face(tmp_path / "src/swap/anna.mp4", shift=3)
    return tmp_path / "src"


def test_tables_say_what_came_of_it(gend: Gend, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(7):
        write_faceless(src / f"swap/empty{number}.mp4", frames=2)
    out = tmp_path / "out"
    assert gend(src, out, "--mode=at_least", "--frames=2", *QUICK) == 0
    output = capsys.readouterr()
    assert [line.split() for line in output.out.splitlines() if "│" in line] == [
        ["│", "real", "│", "real", "│", "1", "│", "0", "│", "2", "│", "2", "│"],
        ["│", "swap", "│", "fake", "│", "8", "│", "7", "│", "16", "│", "2", "│"],
        ["│", "skipped", "│", "no", "face", "│", "14", "│", "7", "│", "swap/empty0.mp4,", "frame", "0", "│"],
    ]
    assert output.out.endswith(
        f"crops:    {out}/src\nlist:     {out}/lists/src.txt\nmanifest: {out}/manifest.jsonl\n"
        f"skipped:  {out}/skipped/src.csv\n"
    )
    assert said(output.err) == [
        *(f"skipped: swap/empty{number}.mp4: no crops: no face in 2 of 2 frames" for number in range(5)),
        f"notice: no crops: 2 more; all are in {out}/skipped/src.csv",
    ]
    assert gend(src, out, "--mode=at_least", "--frames=2", *QUICK) == 0
    assert said(capsys.readouterr().err) == ["notice: 9 of 9 videos were done before"]


def test_json(gend: Gend, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    (src / "swap/bad.mp4").write_bytes(b"-")
    assert gend(src, out, "--stride=3", "--size=48", "--dataset=set", "--json", *QUICK) == 1
    output = capsys.readouterr()
    why = "cannot read it as a picture or video: Invalid data found when processing input"
    assert json.loads(output.out) == {
        "dataset": "set",
        "out": str(out),
        "crops": 4,
        "sources": [
            {"source": name, "label": label, "videos": 1, "without_crops": 0, "frames": 2, "crops": 2}
            for name, label in (("real", "real"), ("swap", "fake"))
        ],
        "problems": [{"severity": "error", "kind": "cannot be prepared", "count": 1}],
        "files": [{"file": "swap/bad.mp4", "severity": "error", "kind": "cannot be prepared", "detail": why}],
        "lists": [str(out / "lists/set.txt")],
        "manifest": str(out / "manifest.jsonl"),
        "skipped": str(out / "skipped/set.csv"),
    }
    assert said(output.err) == [f"error: swap/bad.mp4: cannot be prepared: {why}"]
    assert [crop.path.stem for crop in find_crops(out)] == ["000000", "000003"] * 2


def test_nothing_real_and_nothing_at_all(
    gend: Gend, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gend(src / "swap", tmp_path / "out", *QUICK) == 0
    assert said(capsys.readouterr().err) == [
        "notice: no source is called `real`: all of these crops count as manipulated"
    ]
    write_faceless(tmp_path / "other/swap/empty.mp4")
    assert gend(tmp_path / "other", tmp_path / "out", *QUICK) == 1
    assert capsys.readouterr().err.endswith(f"error: {tmp_path}/other: no crops came of it\n")


def test_photographs_are_not_taken_for_frames_in_silence(
    gend: Gend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_detector()
    people = tmp_path / "src/real/people"
    people.mkdir(parents=True)
    for number in range(5):
        Image.fromarray(np.roll(face_picture(), number, axis=1)).save(people / f"{number}.png")
    assert gend(tmp_path / "src", tmp_path / "out", "--frames=2", *QUICK) == 0
    assert said(capsys.readouterr().err) == [
        "notice: real/people: 2 of its 5 pictures were looked at, as a video's frames; photographs want --alone"
    ]
    assert gend(tmp_path / "src", tmp_path / "alone", "--frames=2", "--alone", *QUICK) == 0
    assert said(capsys.readouterr().err) == []
    assert len(find_crops(tmp_path / "alone")) == 5


def test_list(gend: Gend, capsys: pytest.CaptureFixture[str]) -> None:
    assert gend("--list") == 0
    output = capsys.readouterr().out
    assert all(name in output for name in ("celeb-df-v2", "dfdc", "fakeavceleb", "ffpp", "FaceForensics++"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--mode=at_least", "--stride=2"], "--stride is for fixed_stride, not for at_least"),
        (["--mode=fixed_stride"], "fixed_stride takes --stride, and no --frames"),
        (["--stride=2", "--frames=2"], "fixed_stride takes --stride, and no --frames"),
        (["--size=big"], "expected native, or a number of pixels from 16 to 2048"),
        (["--detector=eyes"], "eyes: no such face detector"),
        (["--layout=ffpp", "--alone"], "--alone is for folders without a layout"),
        (["--layout=nothing"], "error: nothing: no such layout; there are celeb-df-v2"),
        (["--dataset=a/b"], "error: data set 'a/b': expected the name of a folder"),
    ],
)
def test_bad_usage(
    gend: Gend, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, arguments: list[str], expected: str
) -> None:
    assert gend(src, tmp_path / "out", *arguments) == 2
    assert expected in capsys.readouterr().err.replace("\n", " ").replace("│", "").replace("  ", " ")
    assert not (tmp_path / "out").exists()


def test_other_arguments_on_the_same_folder(
    gend: Gend, src: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gend(src, tmp_path / "out", *QUICK, "--frames=2") == 0
    capsys.readouterr()
    assert gend(src, tmp_path / "out", *QUICK, "--frames=3") == 2
    (line,) = said(capsys.readouterr().err)
    assert line.startswith(f"error: {tmp_path}/out: its data set src was begun with frames 2, not 3;")


def test_interrupted_by_the_keyboard(src: Path, tmp_path: Path) -> None:
    write_face(src / "real/long.mp4", frames=3000, shift=5)
    out = str(tmp_path / "out")
    command = interruptible(sys.executable, "-m", "gend.cli", "prepare", str(src), out, *QUICK, "--stride=1")
    # As a terminal does it: the signal is for the whole group.
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        wait_until((tmp_path / "out/src/real/anna").is_dir)
        os.killpg(running.pid, signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 130
    assert output == ""
    assert said(errors) == ["interrupted: 1 of 3 videos are done; the same command goes on from there"]
    assert not list((tmp_path / "out/.prepare").glob("work-*"))
