from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from gend.data.crop_files import find_crops, read_lists
from gend.data.extract import Cut
from gend.data.manifest import read_manifest
from gend.data.prepare import Request, Watcher, prepare
from gend.data.source_videos import Problem, SourceVideo
from gend.data.spread import FrameChoice
from gend.errors import ConfigError, GendError
from tests.gend.data.footage import face_picture, need_detector, tree_of, write_face, write_faceless
from tests.gend.fetched import offer_models
from tests.gend.videos import numbered, write_video
from tests.waiting import wait_until

REQUEST = Request(dataset="set", cut=Cut(FrameChoice(frames=3), size=64, min_face_px=30))
NO_VIDEO = "cannot read it as a picture or video: Invalid data found when processing input"


class Notes(Watcher):
    """What a watcher is told."""

    def __init__(self, stop_at: str | None = None) -> None:
        self.counts = (-1, -1)
        self.decoded: list[str] = []
        self.problems: list[str] = []
        self._stop_at = stop_at

    def planned(self, done: int, todo: int) -> None:
        self.counts = (done, todo)

    def began(self, video: SourceVideo) -> None:
        self.decoded.append(video.key.removeprefix("set/"))

    def advanced(self, video: SourceVideo, done: int, total: int) -> None:
        if self._stop_at == video.key.removeprefix("set/"):
            raise KeyboardInterrupt

    def problem(self, problem: Problem) -> None:
        self.problems.append(f"{problem.severity}: {problem}")


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    offer_models(monkeypatch)
    need_detector()


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    src = tmp_path_factory.mktemp("footage")
    write_face(src / "real/anna.mp4")
    write_face(src / "real/day 2/anna.mkv", shift=2)
    write_face(src / "swap/anna.mp4", shift=4)
    write_faceless(src / "swap/empty.mp4")
    Image.fromarray(face_picture()).save(src / "swap/otto.png")
    return src


@pytest.fixture
def src(footage: Path, tmp_path: Path) -> Path:
    """May be changed. Times are kept, as fingerprints are made of them."""
    return Path(shutil.copytree(footage, tmp_path / "src"))


@pytest.fixture(scope="module")
def whole(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tree of a run that nothing has stopped."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        offer_models(monkeypatch)
        need_detector()
        out = tmp_path_factory.mktemp("whole") / "out"
        prepare(footage, out, REQUEST)
    return tree_of(out)


def test_tree_lists_manifest_and_report(src: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepared = prepare(src, out, REQUEST)
    crops = find_crops(out)
    assert [(crop.source, crop.label, crop.video, crop.path.stem) for crop in crops] == [
        *(("real", 0, "anna", stem) for stem in ("000000", "000002", "000005")),
        *(("real", 0, "day 2/anna", stem) for stem in ("000000", "000002", "000005")),
        *(("swap", 1, "anna", stem) for stem in ("000000", "000002", "000005")),
        ("swap", 1, "otto", "000000"),
    ]
    with Image.open(crops[0].path) as crop:
        assert crop.size == (64, 64)
    assert prepared.lists == (out / "lists/set.txt",)
    assert read_lists(out, prepared.lists) == crops
    assert [out / record.crop for record in read_manifest(out)] == [crop.path for crop in crops]
    assert [(each.source, each.videos, each.without_crops, each.frames, each.crops) for each in prepared.sources] == [
        ("real", 2, 0, 6, 6),
        ("swap", 2, 1, 7, 4),
    ]
    with prepared.skipped.open() as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == [
            ("skipped", "no face", "swap/empty.mp4", number, "") for number in ("0", "2", "5")
        ]
    assert not prepared.failed


def test_processes_give_the_same_files(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    notes = Notes()
    prepare(src, tmp_path / "out", REQUEST, workers=2, watcher=notes)
    assert tree_of(tmp_path / "out") == whole
    assert sorted(notes.decoded) == ["real/anna", "real/day 2/anna", "swap/anna", "swap/empty", "swap/otto"]


@pytest.mark.parametrize("stopped_at", ["real/anna", "swap/anna", "swap/otto"])
def test_what_was_stopped_goes_on(src: Path, tmp_path: Path, whole: dict[str, bytes], stopped_at: str) -> None:
    out = tmp_path / "out"
    first = Notes(stopped_at)
    with pytest.raises(KeyboardInterrupt):
        prepare(src, out, REQUEST, watcher=first)
    assert not list((out / ".prepare").glob("work-*"))
    second = Notes()
    prepare(src, out, REQUEST, watcher=second)
    assert tree_of(out) == whole
    done = first.decoded[:-1]
    assert second.counts == (len(done), 5 - len(done))
    assert sorted(done + second.decoded) == sorted(set(done + second.decoded)), "done videos are not decoded again"
    third = Notes()
    prepare(src, out, REQUEST, watcher=third)
    assert (third.counts, third.decoded) == ((5, 0), [])
    assert tree_of(out) == whole


def test_killed_before_whatever_it_does_to_a_file(tmp_path: Path) -> None:
    for name in ("real/a.mp4", "swap/b.mp4"):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True)
        write_video(path, numbered(16))
    command = [sys.executable, "-m", "tests.gend.data.dying", str(tmp_path / "src"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    moments = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(moments) > 25
    assert [moment for moment in moments if not moment["same"]] == []


def test_killed_with_its_processes_it_goes_on(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    options = ["--dataset=set", "--frames=3", "--size=64", "--min-face-px=30", "--workers=2"]
    command = [sys.executable, "-m", "gend.cli", "prepare", str(src), str(out), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        itself = psutil.Process(running.pid)
        wait_until(lambda: finished(out) >= 1)
        workers = itself.children(recursive=True)
        running.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive, "they leave when whoever began them is gone"
    before = finished(out)
    notes = Notes()
    prepare(src, out, REQUEST, watcher=notes)
    assert notes.counts == (before, 5 - before)
    assert tree_of(out) == whole


def finished(out: Path) -> int:
    """Videos that the journal names, in whole lines."""
    journal = out / ".prepare/set.jsonl"
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


def test_a_journal_that_was_cut_off(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "out"
    prepare(src, out, REQUEST)
    journal = out / ".prepare/set.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    notes = Notes()
    prepare(src, out, REQUEST, watcher=notes)
    assert notes.decoded == ["swap/otto"]
    assert tree_of(out) == whole
    journal.write_bytes(journal.read_bytes().replace(b'"looked_at": 3', b'"looked_at": ,', 1))
    with pytest.raises(GendError, match=r"set\.jsonl:2: damaged"):
        prepare(src, out, REQUEST)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (replace(REQUEST, threshold=0.6), "begun with threshold 0.5, not 0.6"),
        (replace(REQUEST, cut=replace(REQUEST.cut, size=None)), "begun with size 64, not native"),
        (replace(REQUEST, cut=replace(REQUEST.cut, frames=FrameChoice("fixed_stride"))), "begun with .*mode fixed_num"),
        (replace(REQUEST, alone=True), "begun with alone False, not True"),
    ],
)
def test_other_arguments_are_refused(src: Path, tmp_path: Path, request_: Request, expected: str) -> None:
    (src / "swap").rename(tmp_path / "elsewhere")
    out = tmp_path / "out"
    prepare(src, out, REQUEST)
    before = tree_of(out)
    with pytest.raises(ConfigError, match=f"^{out}: its data set set was {expected}") as raised:
        prepare(src, out, request_)
    assert "\n" not in str(raised.value)
    assert tree_of(out) == before
    with pytest.raises(ConfigError, match=f"SRC {src}, not {tmp_path / 'elsewhere'}"):
        prepare(tmp_path / "elsewhere", out, REQUEST)
    prepare(tmp_path / "elsewhere", out, replace(request_, dataset="other"))
    assert {record.crop.split("/")[0] for record in read_manifest(out)} == {"set", "other"}
    assert {name: content for name, content in tree_of(out).items() if name in before and name != "manifest.jsonl"} == {
        name: content for name, content in before.items() if name != "manifest.jsonl"
    }


def test_what_changes_in_between(src: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(src, out, REQUEST)
    write_face(src / "real/anna.mp4", shift=9)  # another video
    (src / "swap/anna.mp4").unlink()
    write_face(src / "real/new.mp4")
    (out / "set/real/day 2/anna/000002.png").unlink()
    notes = Notes()
    prepared = prepare(src, out, REQUEST, watcher=notes)
    assert sorted(notes.decoded) == ["real/anna", "real/day 2/anna", "real/new"]
    assert "notice: swap/anna.mp4: kept: with its crops, as all of 1 videos whose files are gone" in notes.problems
    assert len(read_lists(out, prepared.lists)) == len(find_crops(out)) == prepared.crops == 13
    write_faceless(src / "real/anna.mp4")
    prepare(src, out, REQUEST)
    assert not (out / "set/real/anna").exists()
    write_face(src / "swap/day 3.mp4")
    (src / "swap/day 3.mp4").rename(src / "swap/anna.avi")
    notes = Notes()
    assert prepare(src, out, REQUEST, watcher=notes).failed
    assert any("swap/anna.avi: place taken: swap/anna.mp4" in problem for problem in notes.problems)


def test_what_cannot_be_prepared_is_told_and_tried_again(src: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good = (src / "real/anna.mp4").read_bytes()
    (src / "real/anna.mp4").write_bytes(b"no video")
    (src / "swap/otto.png").write_bytes(b"no picture")
    shutil.copy(src / "swap/anna.mp4", src / "real/same.mp4")
    write_face(src / "swap/masked.mp4", shift=11)
    write_faceless(src / "swap/masked_mask.mp4", frames=2)
    (src / "swap/otto.jpg").touch()
    notes = Notes()
    prepared = prepare(src, out, REQUEST, watcher=notes)
    assert prepared.failed
    assert notes.problems == [
        "error: swap/otto.png: place taken: swap/otto.jpg is prepared in set/swap/otto; rename one of them",
        f"error: real/anna.mp4: cannot be prepared: {NO_VIDEO}",
        "error: swap/masked.mp4: cannot be prepared: it has 6 frames, but its mask swap/masked_mask.mp4 has 2",
        "error: swap/otto.jpg: cannot be prepared: not a picture, whatever its name says, or damaged from the start",
        "notice: swap/anna.mp4: same file twice: it is real/same.mp4, whose label is another",
    ]
    assert [(each.file, each.kind) for each in prepared.problems if each.severity != "skipped"] == [
        ("real/anna.mp4", "cannot be prepared"),
        ("swap/anna.mp4", "same file twice"),
        ("swap/masked.mp4", "cannot be prepared"),
        ("swap/otto.jpg", "cannot be prepared"),
        ("swap/otto.png", "place taken"),
    ]
    (src / "real/anna.mp4").write_bytes(good)
    notes = Notes()
    prepare(src, out, REQUEST, watcher=notes)
    assert notes.decoded == ["real/anna", "swap/masked", "swap/otto"]
    assert (out / "set/real/anna").is_dir()


def test_a_layout_gives_pairs_masks_and_splits(tmp_path: Path) -> None:
    src = tmp_path / "src"
    write_face(src / "original_sequences/youtube/c23/videos/071.mp4")
    for kind in ("c23", "masks"):
        write_face(src / f"manipulated_sequences/FaceSwap/{kind}/videos/071_054.mp4", shift=3)
    for split, pairs in (("train", [["071", "054"]]), ("val", []), ("test", [])):
        (src / "splits").mkdir(exist_ok=True)
        (src / f"splits/{split}.json").write_text(json.dumps(pairs))
    out = tmp_path / "out"
    prepared = prepare(src, out, replace(REQUEST, layout="ffpp", dataset=None))
    assert [path.name for path in prepared.lists] == ["FF++.train.txt", "FF++.txt"]
    assert {record.video_key: record.pair for record in read_manifest(out)} == {
        "FF++/FS/071_054": "FF++/real-youtube/071",
        "FF++/real-youtube/071": None,
    }
    assert not prepared.problems
    (src / "splits/train.json").write_text("[]")
    (src / "splits/test.json").write_text('[["071", "054"]]')
    notes = Notes()
    again = prepare(src, out, replace(REQUEST, layout="ffpp", dataset=None), watcher=notes)
    assert notes.decoded == [], "another split is no other crop"
    assert [path.name for path in again.lists] == ["FF++.test.txt", "FF++.txt"]


def test_folders_that_will_not_do(src: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").touch()
    with pytest.raises(ConfigError, match="not empty, and not made by gend prepare"):
        prepare(src, tmp_path / "full", REQUEST)
    with pytest.raises(ConfigError, match="crops cannot be written over what they are cut from"):
        prepare(src, src, REQUEST)
    with pytest.raises(ConfigError, match="this is none"):
        prepare(src, tmp_path / "full/thesis.txt", REQUEST)
    with pytest.raises(ConfigError, match="a layout is of a folder"):
        prepare(src / "real/anna.mp4", tmp_path / "out", replace(REQUEST, layout="ffpp"))
    with pytest.raises(GendError, match=r"out: cannot be written \(Not a directory\)"):
        prepare(src, tmp_path / "full/thesis.txt/out", REQUEST)
    inside = prepare(src, src / "crops", REQUEST)
    assert prepare(src, src / "crops", REQUEST).crops == inside.crops, "crops are not footage"


def test_two_at_once_on_one_folder(src: Path, tmp_path: Path) -> None:
    other: list[str] = []

    class Second(Watcher):
        def planned(self, done: int, todo: int) -> None:
            with pytest.raises(GendError, match="another gend prepare writes there") as raised:
                prepare(src, tmp_path / "out", REQUEST)
            other.append(str(raised.value))

    prepare(src, tmp_path / "out", REQUEST, watcher=Second())
    assert len(other) == 1


SMALL_DISK = """
set -e
mkdir "$OUT"
mount -t tmpfs -o size=64k none "$OUT"
set +e
"$@"; echo "first $?"
mount -o remount,size=8m "$OUT"
"$@"; echo "second $?"
cp -r "$OUT" "$OUT.kept"
"""


def test_a_full_disk_is_one_line_and_what_is_done_stays(src: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("needs unshare, and the right to mount")
    out = tmp_path / "out"
    options = ["--dataset=set", "--frames=3", "--size=64", "--min-face-px=30"]
    prepares = [sys.executable, "-m", "gend.cli", "prepare", str(src), str(out), *options, "--workers=1"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", *prepares],
        env={**os.environ, "OUT": str(out)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "first 1\n" in done.stdout, done.stderr
    assert done.stdout.endswith("second 0\n"), done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "cannot be written (No space left on device); videos done so far: " in line
    assert "Traceback" not in done.stderr
    assert "videos were done before" in done.stderr
    assert tree_of(tmp_path / "out.kept") == whole
