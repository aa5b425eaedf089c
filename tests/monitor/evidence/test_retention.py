"""Hours and megabytes on real packages, with a clock passed in; and what must be left alone."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.evidence.retention import Retention
from tests.monitor.evidence.examples import a_case, packages, written

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four packages of two streams, at noon and each hour after."""
    folder = tmp_path_factory.mktemp("day") / "evidence"
    for hour in range(4):
        case = a_case(hour, crops=1, at=NOON + timedelta(hours=hour), stream="lobby" if hour % 2 else "tape")
        written(folder, case)
    return folder


@pytest.fixture
def folder(day: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(day, tmp_path / "evidence"))


def retention(folder: Path, *, keep_hours: float = 72, most_bytes: int = 10**9, hour: float = 4) -> Retention:
    now = NOON + timedelta(hours=hour)
    return Retention(folder, keep_hours=keep_hours, most_bytes=most_bytes, now=lambda: now)


def hours(folder: Path) -> list[int]:
    return sorted(int(package.name[9:11]) - 12 for package in packages(folder))


def test_hours_hold(folder: Path) -> None:
    kept = retention(folder, keep_hours=2.5)
    assert kept.enforce()
    assert hours(folder) == [2, 3]
    assert (kept.packages, kept.removed) == (2, {"hours": 2, "megabytes": 0})
    assert kept.bytes == sum(map(size, packages(folder)))
    later = retention(folder, keep_hours=2.5, hour=5.6)
    later.enforce()
    assert hours(folder) == []


def test_megabytes_hold_oldest_first(folder: Path) -> None:
    most = sum(size(package) for package in packages(folder)) - 1
    kept = retention(folder, most_bytes=most)
    assert kept.enforce()
    assert hours(folder) == [1, 2, 3]
    assert kept.bytes <= most
    assert kept.enforce(room_for=most - kept.bytes + 1)
    assert hours(folder) == [2, 3]
    assert kept.removed == {"hours": 0, "megabytes": 2}


def test_a_package_that_is_larger_than_all_may_be_is_not_kept_either(folder: Path) -> None:
    kept = retention(folder, most_bytes=1000)
    assert not kept.fits(1001)
    assert kept.enforce()
    assert (hours(folder), kept.bytes) == ([], 0)


def test_what_is_not_ours_is_left_alone_and_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (package, *_) = packages(folder)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(package, elsewhere / package.name)
    alone = [
        shutil.copytree(package, folder / package.name),  # not at the depth of a package
        shutil.copytree(package, folder / "deep" / "deeper" / package.name),
        shutil.copytree(package, folder / "tape" / "my own copy"),
        shutil.copytree(package, folder / "NotAStream" / package.name),
        shutil.copytree(package, folder / "tape" / "20200101T000000Z-nothing-of-ours"),
    ]
    (alone[-1] / "manifest.json").write_text('{"kind": "something else"}')
    (folder / "tape" / "20200101T000000Z-without").mkdir()
    (folder / "tape" / "20200101T000000Z-linked").symlink_to(elsewhere / package.name)
    (folder / "linked").symlink_to(elsewhere)
    linked = folder / "tape" / "20200101T000000Z-manifest-linked"
    linked.mkdir()
    (linked / "manifest.json").symlink_to(elsewhere / package.name / "manifest.json")
    (folder / "notes.txt").write_text("mine")
    before = {path: size(path) for path in (*alone, elsewhere)}
    kept = retention(folder, keep_hours=0.001, most_bytes=1)
    assert kept.enforce()
    assert kept.removed == {"hours": 4, "megabytes": 0}
    assert {path: size(path) for path in (*alone, elsewhere)} == before
    assert (folder / "signing-key.pem").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert linked.exists()
    assert (folder / "tape" / "20200101T000000Z-linked").is_symlink()
    assert not list((folder / ".unfinished").iterdir())


def test_a_link_inside_a_package_is_removed_and_not_what_it_names(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious")
    for package in packages(folder):
        (package / "crops" / "out").symlink_to(precious)
    retention(folder, keep_hours=0.001).enforce()
    assert hours(folder) == []
    assert (precious / "file").read_text() == "precious"
