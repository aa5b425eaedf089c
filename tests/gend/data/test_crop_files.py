from __future__ import annotations

from pathlib import Path

import pytest

from gend.data.crop_files import CropFile, find_crops, read_lists, write_list
from gend.errors import PictureError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("set/real-a/v1/0.png", "set/real-a/v1/1.png", "set/swap/v1/0.png", "set/swap/deep/v2/0.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"-")
    (tmp_path / "set/swap/v1/notes.txt").write_text("no crop")
    return tmp_path


def test_the_place_says_label_and_video(root: Path) -> None:
    crops = find_crops(root)
    assert [(crop.label, crop.video_key, crop.path.name) for crop in crops] == [
        (0, "set/real-a/v1", "0.png"),
        (0, "set/real-a/v1", "1.png"),
        (1, "set/swap/deep/v2", "0.jpg"),
        (1, "set/swap/v1", "0.png"),
    ]


def test_a_line_is_a_picture_or_a_folder_and_each_crop_comes_once(root: Path) -> None:
    (root / "list.txt").write_text("# a comment\nset/swap/v1/0.png\n\nset/real-a\nset/real-a/v1/1.png\n")
    assert [crop.path.relative_to(root).as_posix() for crop in read_lists(root, [root / "list.txt"])] == [
        "set/swap/v1/0.png",
        "set/real-a/v1/0.png",
        "set/real-a/v1/1.png",
    ]


def test_all_missing_paths_are_named_at_once(root: Path) -> None:
    (root / "list.txt").write_text("set/swap/v1/0.png\nset/gone/v1/0.png\nset/swap/v9\n")
    with pytest.raises(PictureError) as raised:
        read_lists(root, [root / "list.txt"])
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == [
        f"{root}/list.txt:2",
        f"{root}/list.txt:3",
    ]


def test_what_is_written_is_read(root: Path) -> None:
    crops = find_crops(root)
    write_list(root / "lists/all.txt", root, [crop.path for crop in crops])
    assert read_lists(root, [root / "lists/all.txt"]) == crops


def test_empty_and_shallow_folders_are_errors(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PictureError, match="no pictures in this folder"):
        find_crops(tmp_path / "empty")
    with pytest.raises(PictureError, match="no such folder"):
        find_crops(tmp_path / "none")
    with pytest.raises(PictureError, match="expected <dataset>/<source>/<video>/<frame>"):
        CropFile.at(root, root / "a.png")


def test_hidden_folders_are_left_out(root: Path) -> None:
    path = root / ".prepare/work/0/000001.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"-")
    assert all("work" not in crop.path.parts for crop in find_crops(root))
    assert len(find_crops(root, root / ".prepare")) == 1, "what the caller asks for by name is not hidden"
