from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gend.data.manifest import MANIFEST, CropRecord, read_manifest
from gend.errors import PictureError

RECORD = CropRecord(
    crop="set/swap/v1/00001.png",
    crop_sha256="a" * 64,
    file="swap/v1.mp4",
    file_sha256="b" * 64,
    frame=1,
    at_s=0.04,
    pair="set/real/v1",
    box=(1, 2, 3.5, 4),
    landmarks=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10)),
    confidence=0.9,
    detector="yunet",
)


def test_records_survive_the_file(tmp_path: Path) -> None:
    other = replace(RECORD, crop="set/real/v ä/00000.png", pair=None)
    (tmp_path / MANIFEST).write_text(RECORD.line() + other.line())
    assert read_manifest(tmp_path) == [RECORD, other]
    assert RECORD.video_key == "set/swap/v1"


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(RECORD.line() + RECORD.line()[:50])
    assert read_manifest(tmp_path) == [RECORD]
    assert read_manifest(tmp_path / "nothing here") == []


@pytest.mark.parametrize("damage", ["{}\n", "[]\n", "no json\n", RECORD.line().replace('"yunet"', "3")])
def test_a_damaged_line_is_named(tmp_path: Path, damage: str) -> None:
    (tmp_path / MANIFEST).write_text(RECORD.line() + damage)
    with pytest.raises(PictureError, match=r"manifest\.jsonl:2: damaged"):
        read_manifest(tmp_path)
