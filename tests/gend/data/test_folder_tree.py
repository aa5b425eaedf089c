from __future__ import annotations

from pathlib import Path

import pytest

from gend.data.folder_tree import plan_folder
from gend.data.source_videos import Plan, SourceVideo, check_dataset
from gend.errors import ConfigError, PictureError


def planned(root: Path, *files: str, alone: bool = False) -> Plan:
    for name in files:
        path = root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return plan_folder(root / "src", "set", alone=alone)


def by_key(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {video.key: video.files for video in plan.videos}


def test_the_first_folder_is_the_source_and_the_rest_the_video(tmp_path: Path) -> None:
    plan = planned(tmp_path, "real/a.mp4", "real/day 2/a.mkv", "Swap/b.jpg", "c.mp4", "notes.txt", ".x/real/d.mp4")
    assert by_key(plan) == {
        "set/Swap/b": ("Swap/b.jpg",),
        "set/real/a": ("real/a.mp4",),
        "set/real/day 2/a": ("real/day 2/a.mkv",),
        "set/src/c": ("c.mp4",),
    }
    assert [video.label for video in plan.videos] == [1, 0, 0, 1]
    assert plan.problems == ()


def test_a_folder_of_pictures_is_a_video_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = ("real/v/f9.png", "real/v/f10.png", "real/v/f1.jpg", "real/v/f10.jpg")
    plan = planned(tmp_path, *files)
    assert by_key(plan) == {"set/real/v": ("real/v/f1.jpg", "real/v/f9.png", "real/v/f10.jpg")}
    assert [str(problem) for problem in plan.problems] == ["real/v/f10.png: place taken: f10.jpg is that frame"]
    assert len(planned(tmp_path, *files, alone=True).videos) == 3


def test_a_mask_lies_beside_its_video(tmp_path: Path) -> None:
    files = ("fake/a.mp4", "fake/a_mask.avi", "fake/b_mask.mp4", "fake/c.jpg", "fake/c_mask.png", "fake/d.mp4")
    plan = planned(tmp_path, *files, "fake/d_mask.png", "fake/v/1.png", "fake/v/1_mask.png", "fake/v/2.png")
    assert {video.key.removeprefix("set/fake/"): video.masks for video in plan.videos} == {
        "a": ("fake/a_mask.avi",),
        "b_mask": (),  # of nothing
        "c": ("fake/c_mask.png",),
        "d": (),
        "d_mask": (),  # a picture is no mask of a video
        "v": ("fake/v/1_mask.png", None),
    }


def test_of_two_in_one_place_the_first_is_taken(tmp_path: Path) -> None:
    plan = planned(tmp_path, "real/a.avi", "real/a.mp4", "real/a/b.mp4", "real/c/1.png", "real/c/d.mp4")
    assert by_key(plan) == {"set/real/a": ("real/a.avi",), "set/real/c": ("real/c/1.png",)}
    assert [str(problem) for problem in plan.problems] == [
        "real/a.mp4: place taken: real/a.avi is prepared in set/real/a; rename one of them",
        "real/a/b.mp4: place taken: real/a.avi is prepared in set/real/a/b; rename one of them",
        "real/c/d.mp4: place taken: real/c/1.png is prepared in set/real/c/d; rename one of them",
    ]
    assert {problem.severity for problem in plan.problems} == {"error"}


def test_names_that_no_list_could_hold(tmp_path: Path) -> None:
    plan = planned(tmp_path, "real/a\nb.mp4", "real/c.mp4")
    assert list(by_key(plan)) == ["set/real/c"]
    assert plan.problems[0].detail == "its name holds a line break"


def test_a_single_file(tmp_path: Path) -> None:
    planned(tmp_path, "a.mp4", "b.mp4")
    assert plan_folder(tmp_path / "src/a.mp4", "set").videos == (SourceVideo("set/src/a", ("a.mp4",)),)


def test_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such file"):
        plan_folder(tmp_path / "src", "set")
    (tmp_path / "src").mkdir()
    with pytest.raises(PictureError, match="no pictures or videos in this folder"):
        plan_folder(tmp_path / "src", "set")


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", ".a", "#a", "lists", "skipped", "a\nb"])
def test_names_of_data_sets(name: str) -> None:
    with pytest.raises(ConfigError, match="data set"):
        check_dataset(name)
