from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from gend.data.manifest import MANIFEST, read_manifest
from gend.errors import ConfigError, PictureError
from gend.evaluation.config import Evaluation
from gend.evaluation.crop_sets import CropSet, find_sets
from tests.gend.evaluation.trees import in_silence, make_tree


def find(tmp_path: Path, **said: Any) -> list[CropSet]:
    config = Evaluation.model_validate({"weights": "demo", "root": str(tmp_path / "tree"), **said})
    return find_sets(config, tmp_path / "out", in_silence)


def names(crop_set: CropSet) -> list[str]:
    return [crop.path.relative_to(crop_set.root).as_posix() for crop in crop_set.crops]


def test_a_set_is_a_tree_or_what_lists_and_folders_in_it_name(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    (root / "lists").mkdir()
    (root / "lists/some.txt").write_text("set/real/v1\nset/swap/v0/1.png\n")
    whole, listed, folder = find(
        tmp_path, sets={"whole": {}, "listed": {"lists": ["lists/some.txt"]}, "folder": {"lists": ["set/swap"]}}
    )
    assert len(whole.crops) == 12
    assert names(listed) == ["set/real/v1/0.png", "set/real/v1/1.png", "set/swap/v0/1.png"]
    assert {name.split("/")[1] for name in names(folder)} == {"swap"}


def test_frames_are_spread_evenly_and_counted_by_number(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", videos=1, frames=12)
    [some] = find(tmp_path, sets={"s": {"frames_per_video": 3}})
    assert [Path(name).stem for name in names(some)] == ["0", "6", "11", "0", "6", "11"]


def test_a_part_has_so_many_videos_of_either_class(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", videos=5, frames=4, sources=("real", "swap", "reenact"))
    [whole] = find(tmp_path, sets={"s": {}})
    part = whole.some(4, 2)
    videos = {crop.video_key: crop.label for crop in part.crops}
    assert sorted(videos.values()) == [0] * 4 + [1] * 4
    assert len(part.crops) == 16


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    (root / "list.txt").write_text("set/real/v9\nset/real/v1\nset/swap/v7/0.png\n")
    sets = {"a": {"lists": ["list.txt", "gone.txt"]}, "b": {"lists": ["list.txt"]}, "c": {"root": str(tmp_path / "no")}}
    with pytest.raises(PictureError) as raised:
        find(tmp_path, sets=sets, trained_on=[{"root": str(tmp_path / "nor this")}])
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["sets.a", "sets.b", "sets.b", "sets.c", "trained_on.0"]
    assert "gone.txt: no such list or folder" in lines[0]
    assert lines[2].endswith("set/swap/v7/0.png: no such file or folder")


def test_an_empty_list_is_an_error(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    (root / "list.txt").write_text("# nothing yet\n")
    with pytest.raises(PictureError, match=r"sets.s: list.txt: no crops are named"):
        find(tmp_path, sets={"s": {"lists": ["list.txt"]}})


def test_what_was_trained_on_is_refused(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    (root / "train.txt").write_text("set/real/v0\nset/swap/v2\n")
    (root / "test.txt").write_text("set/real/v1\nset/swap/v1\n")
    learnt = [{"root": str(root), "lists": ["train.txt"]}]
    find(tmp_path, sets={"s": {"lists": ["test.txt"]}}, trained_on=learnt)
    with pytest.raises(ConfigError, match=r"sets.s: set/swap/v2 \(trained on\)"):
        find(tmp_path, sets={"s": {}}, trained_on=learnt)


def test_generated_pairs_are_a_tree_with_a_manifest(tmp_path: Path) -> None:
    generate = {"pairs": 4, "frames": 2, "sources": "drawn", "side_px": 48}
    [made] = find(tmp_path, sets={"s": {"generate": generate}})
    assert len(made.crops) == 16
    assert {crop.source for crop in made.crops} == {"real", "low-resolution", "self-blended"}
    assert made.pairs["drawn/self-blended/00001"] == "drawn/real/00001"
    assert len(read_manifest(made.root)) == 16
    first = np.asarray(Image.open(made.root / "drawn/real/00000/000.png"))
    fake = np.asarray(Image.open(made.root / "drawn/low-resolution/00000/000.png"))
    assert first.shape == (48, 48, 3)
    assert not np.array_equal(first, fake)
    assert np.abs(first.astype(float) - fake).mean() < 30, "its twin shows the same"
    second = np.asarray(Image.open(made.root / "drawn/real/00000/001.png"))
    other = np.asarray(Image.open(made.root / "drawn/real/00002/000.png"))
    same, different = (np.corrcoef(first.ravel(), each.ravel())[0, 1] for each in (second, other))
    assert same > different + 0.3, "frames of one video show the same face"


def test_generated_pairs_are_the_same_again_and_others_with_another_seed(tmp_path: Path) -> None:
    generate = {"pairs": 2, "frames": 1, "sources": "drawn", "side_px": 48}
    [made] = find(tmp_path, sets={"s": {"generate": generate}})
    hashes = [record.crop_sha256 for record in read_manifest(made.root)]
    written = (made.root / MANIFEST).stat().st_mtime_ns
    [kept] = find(tmp_path, sets={"s": {"generate": generate}})
    assert (kept.root, (kept.root / MANIFEST).stat().st_mtime_ns) == (made.root, written)
    [again] = find(tmp_path / "elsewhere", sets={"s": {"generate": generate}})
    assert [record.crop_sha256 for record in read_manifest(again.root)] == hashes
    [others] = find(tmp_path, sets={"s": {"generate": generate | {"seed": 1}}})
    assert not set(hashes) & {record.crop_sha256 for record in read_manifest(others.root)}


def test_pairs_of_own_crops_are_drawn_anew_where_these_have_changed(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    generate = {"pairs": 2, "frames": 1, "sources": "crops", "root": str(root), "side_px": 48}

    def drawn(**changes: Any) -> tuple[Path, list[str]]:
        [made] = find(tmp_path, sets={"s": {"generate": generate | changes}})
        return made.root, [record.crop_sha256 for record in read_manifest(made.root)]

    first = drawn()
    Image.new("RGB", (40, 40)).save(root / "set/swap/v0/0.png")
    assert drawn() == first, "manipulated crops are not drawn from"
    assert drawn(root=str(root.rename(tmp_path / "moved"))) == first, "the same pictures at another place"
    root = (tmp_path / "moved").rename(root)
    for path in sorted((root / "set/real").rglob("*.png")):
        Image.open(path).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    changed = drawn()
    assert changed[0] != first[0]
    assert not set(changed[1]) & set(first[1])
    (root / "set/real/v2/0.png").unlink()
    assert drawn()[0] != changed[0]


def test_pairs_of_crops_that_were_trained_on_are_refused(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "tree")
    learnt = [{"root": str(root), "lists": ["set/real/v0"]}]
    generate = {"pairs": 2, "frames": 1, "sources": "crops", "root": str(root), "side_px": 48}
    find(tmp_path, sets={"own": {"generate": generate | {"lists": ["set/real/v1"]}}}, trained_on=learnt)
    with pytest.raises(ConfigError, match=r"sets.own: set/real/v0 \(trained on\)"):
        find(tmp_path, sets={"own": {"generate": generate}}, trained_on=learnt)


def test_a_root_may_lie_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path / "tree")
    monkeypatch.setenv("HOME", str(tmp_path))
    generate = {"pairs": 1, "frames": 1, "sources": "crops", "root": "~/tree", "side_px": 48}
    sets = {
        "here": {"root": "~/tree", "lists": ["set/real/v1"]},
        "own": {"generate": generate | {"lists": ["set/real/v1"]}},
    }
    here, own = find(tmp_path, sets=sets, trained_on=[{"root": "~/tree", "lists": ["set/real/v2"]}])
    assert (len(here.crops), len(own.crops)) == (2, 2)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"sets": {}}, "at least 1 item"),
        ({"sets": {"a/b": {}}}, "names begin with a letter or digit"),
        ({"sets": {"FF": {}, "ff": {}}}, "FF and ff differ by upper and lower case alone"),
        ({"sets": {"s": {"generate": {}, "root": "x"}}}, "either generate, or root and lists"),
        ({"sets": {"s": {}}, "weights": None}, "no detector"),
        ({"sets": {"s": {}}, "beside": {"gend": {"kind": "gend", "weights": "demo"}}}, "that of `weights`"),
        ({"sets": {"s": {}}, "beside": {"x": {"kind": "onnx", "file": "x"}}}, "output"),
    ],
)
def test_configurations_that_make_no_sense(said: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Evaluation.model_validate(said)


def test_null_leaves_out_what_an_extended_file_has() -> None:
    said = {"sets": {"a": {}, "b": None}, "beside": {"x": None}}
    config = Evaluation.model_validate(said)
    assert (list(config.sets), list(config.detectors)) == (["a"], ["gend"])
