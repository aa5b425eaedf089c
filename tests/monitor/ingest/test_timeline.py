from __future__ import annotations

import pytest

from monitor.ingest.timeline import Timeline


def placed(*pts_s: float | None) -> list[float]:
    timeline = Timeline(0.04)
    return [timeline.place(pts) for pts in pts_s]


def test_place_starts_at_zero_and_follows_the_timestamps() -> None:
    assert placed(7.0, 7.5, 9.0) == pytest.approx([0, 0.5, 2.0])


def test_place_fills_missing_timestamps() -> None:
    assert placed(None, 5.0, None, 5.08) == pytest.approx([0, 0.04, 0.08, 0.12])


def test_place_goes_on_after_a_reset() -> None:
    assert placed(99.0, 99.04, 0.0, 0.04) == pytest.approx([0, 0.04, 0.08, 0.12])


def test_place_closes_a_jump() -> None:
    assert placed(0.0, 0.04, 86400.0, 86400.04) == pytest.approx([0, 0.04, 0.08, 0.12])


def test_place_keeps_the_pace_of_a_slow_recording() -> None:
    timeline = Timeline(15.0)
    assert [timeline.place(pts) for pts in (0.0, 15.0, 45.0)] == [0, 15, 45]
