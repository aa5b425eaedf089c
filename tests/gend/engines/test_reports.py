from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gend.engines.cpu import CPU
from gend.engines.reports import Report, arithmetic, find_reports, save_report
from gend.errors import GendError

GENOA = CPU(x86=True, bf16=True, int8="vnni")
ICE_LAKE = CPU(x86=True, bf16=False, int8="vnni")
FOUND = Report("ab" * 32, "/int8", "cd" * 32, arithmetic(GENOA), 64, 0.05, 0.01)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GEND_CACHE", str(tmp_path))
    return tmp_path


def test_reports_are_found_by_their_weights_least_drift_first() -> None:
    assert find_reports(FOUND.weights_sha256) == []
    better = replace(FOUND, model_sha256="ef" * 32, max_drift=0.02)
    other_cpu = replace(FOUND, arithmetic=arithmetic(ICE_LAKE), max_drift=0.03)
    for report in (FOUND, better, other_cpu, replace(FOUND, weights_sha256="12" * 32)):
        save_report(report)
    assert find_reports(FOUND.weights_sha256) == [better, other_cpu, FOUND]


def test_a_newer_report_replaces_an_older_one_of_the_same_network() -> None:
    save_report(FOUND)
    worse = replace(FOUND, max_drift=0.5)
    assert save_report(worse).is_file()
    assert find_reports(FOUND.weights_sha256) == [worse]


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"crops": "64"}, {"max_drift": float("nan")}, {"more": 1}, {"folder": None}]
)
def test_a_damaged_report_does_not_count(change: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    path = save_report(FOUND)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert find_reports(FOUND.weights_sha256) == []
    assert f"{path}: " in caplog.text
    path.write_text(path.read_text()[:-5])
    assert find_reports(FOUND.weights_sha256) == []


def test_a_report_that_cannot_be_written_is_an_error(cache: Path) -> None:
    (cache / "reports").write_text("in the way")
    with pytest.raises(GendError, match="cannot be written"):
        save_report(FOUND)


def test_a_report_allows_what_it_measured() -> None:
    assert FOUND.allows(0.05, GENOA)
    assert not FOUND.allows(0.049, GENOA)
    assert not FOUND.allows(0.05, ICE_LAKE)
    assert not replace(FOUND, crops=31).allows(0.05, GENOA)
