from __future__ import annotations

from pathlib import Path

import pytest

from gend.data.crop_files import find_crops
from gend.data.manifest import MANIFEST, CropRecord
from gend.data.overlap import Origin, origins, refuse_shared, shared_sources
from gend.errors import ConfigError

TRAIN = [Origin("ff/real/071", "aa"), Origin("ff/DF/071_054", "bb", "ff/real/071")]


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (Origin("ff/real/071"), "trained on"),
        (Origin("mine/real/holiday", "aa"), "the same file as ff/real/071, which was trained on"),
        (Origin("ff/NT/071_054", "cc", "ff/real/071"), "made from ff/real/071, which was trained on"),
    ],
)
def test_a_video_is_known_again_by_place_by_file_and_by_what_it_was_made_from(test: Origin, why: str) -> None:
    [shared] = shared_sources(TRAIN, [test])
    assert (shared.test, shared.why) == (test.video_key, why)


def test_siblings_share_their_source_even_where_it_is_in_neither() -> None:
    train = [Origin("ff/DF/071_054", None, "ff/real/071")]
    [shared] = shared_sources(train, [Origin("ff/NT/071_054", None, "ff/real/071")])
    assert shared.why == "made from ff/real/071, as is ff/DF/071_054, which was trained on"
    [shared] = shared_sources(train, [Origin("ff/real/071")])
    assert shared.why == "ff/DF/071_054, which was trained on, is made from it"


def test_others_share_nothing() -> None:
    others = [Origin("ff/real/072", "dd"), Origin("ff/DF/072_054", None, "ff/real/072"), Origin("x/real/071")]
    assert shared_sources(TRAIN, others) == []
    refuse_shared(TRAIN, others, "test")


@pytest.mark.parametrize(
    ("train", "test", "why"),
    [
        ("ff/real-yt/071", "ff/DF/071_054", "made from ff/real-yt/071, which was trained on"),
        ("ff/DF/071_054", "ff/real-yt/071", "ff/DF/071_054, which was trained on, is made from it"),
        ("mine/real/tuesday", "mine/swap/tuesday", "made from mine/real/tuesday, which was trained on"),
        ("ff/DF/071_054", "ff/NT/071_054", "made from ff/*/071, as is ff/DF/071_054, which was trained on"),
        ("ff/real-yt/054", "ff/DF/071_054", None),
        ("ff/DF/071_054", "ff/NT/072_054", None),
        ("ff/real-yt/071", "other/DF/071_054", None),
        ("mine/swap/20260101_1200", "mine/morph/20260101_1300", None),
        ("damaged", "ff/DF/071_054", None),
    ],
)
def test_names_tell_what_a_video_was_made_from_also_where_that_is_in_the_other_set(
    train: str, test: str, why: str | None
) -> None:
    assert [each.why for each in shared_sources([Origin(train)], [Origin(test)])] == ([why] if why else [])


def test_a_manifest_counts_more_than_names() -> None:
    train, test = [Origin("ff/real/071")], [Origin("ff/DF/071_054", "bb", "ff/real/900")]
    assert shared_sources(train, test) == []


def test_the_manifest_of_one_set_says_what_the_names_of_the_other_mean() -> None:
    train = [Origin("ff/DF/071_054", "bb", "ff/real-yt/071")]
    [shared] = shared_sources(train, [Origin("ff/NT/071_054")])
    assert shared.why == "made from ff/real-yt/071, as is ff/DF/071_054, which was trained on"


def test_refusal_names_the_videos() -> None:
    test = [Origin(f"ff/real/{number:03}") for number in range(60, 90)]
    train = [Origin(f"ff/real/{number:03}") for number in range(65, 200)]
    with pytest.raises(ConfigError) as raised:
        refuse_shared(train, test, "sets.FF++")
    lines = str(raised.value).splitlines()
    assert lines[0] == "sets.FF++: 25 source videos are in the training data as well"
    assert lines[1] == "sets.FF++: ff/real/065 (trained on)"
    assert lines[-1] == "… and 5 more"


def test_origins_come_from_the_manifest_where_it_knows_them(tmp_path: Path) -> None:
    for name in ("s/real/a/0.png", "s/real/a/1.png", "s/swap/b/0.png", "s/real/c/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"-")

    def record(crop: str, pair: str | None = None) -> CropRecord:
        box, points = (0.0, 0.0, 1.0, 1.0), ((0.0, 0.0),) * 5
        return CropRecord(crop, "0", "a.mp4", crop[:6], 0, 0.0, pair, box, points, 1.0, "none")

    records = [record("s/real/a/0.png"), record("s/swap/b/0.png", "s/real/a"), record("s/real/gone/0.png")]
    (tmp_path / MANIFEST).write_text("".join(each.line() for each in records))
    assert origins(tmp_path, find_crops(tmp_path)) == [
        Origin("s/real/a", "s/real"),
        Origin("s/real/c"),
        Origin("s/swap/b", "s/swap", "s/real/a"),
    ]


def test_origins_without_a_manifest_come_from_names(tmp_path: Path) -> None:
    for name in ("ff/real-yt/071/0.png", "ff/DF/071_054/0.png", "ff/DF/071_054/1.png", "ff/DF/072_055/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"-")
    assert origins(tmp_path, find_crops(tmp_path)) == [
        Origin("ff/DF/071_054", None, "ff/real-yt/071"),
        Origin("ff/DF/072_055"),
        Origin("ff/real-yt/071"),
    ]
