from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from monitor.errors import ConfigError
from monitor.moments import duration, moment


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_duration_reads_what_people_type() -> None:
    assert [duration(text) for text in ("45s", "30m", "2h", "1h30m", "7d")] == [
        timedelta(seconds=45),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(minutes=90),
        timedelta(days=7),
    ]


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2h2h", "5m1h", "two hours", "1.5h", "9999999d"])
def test_duration_refuses_anything_else_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="not a length of time; write it as 30m, 2h, 1h30m or 7d"):
        duration(text)


@pytest.mark.usefixtures("berlin")
def test_moment_is_local_unless_it_names_a_zone() -> None:
    now = datetime(2026, 1, 31, 16, 30, tzinfo=UTC)  # 17:30 in Berlin
    assert moment("18:00", now) == datetime(2026, 1, 31, 17, 0, tzinfo=UTC)
    assert moment("17:30", now) == datetime(2026, 2, 1, 16, 30, tzinfo=UTC)
    assert moment("2026-02-03T08:00", now) == datetime(2026, 2, 3, 7, 0, tzinfo=UTC)
    assert moment("2026-02-03T08:00Z", now) == datetime(2026, 2, 3, 8, 0, tzinfo=UTC)
    assert moment("2026-07-03T08:00", now) == datetime(2026, 7, 3, 6, 0, tzinfo=UTC)  # summer time by then


@pytest.mark.parametrize("text", ["", "soon", "25:00", "18", "2026-13-01"])
def test_moment_refuses_anything_else_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="not a moment; write it as 18:00 or 2026-01-31T18:00"):
        moment(text, datetime.now(UTC))
