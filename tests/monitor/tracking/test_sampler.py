from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.messages import Demand
from monitor.tracking.sampler import Pace, Sampler


def _demand(crops_per_s: float, expires_s: float, track: str = "t") -> Demand:
    return Demand("lobby", track, crops_per_s, priority=1.0, expires_s=expires_s)


def _sampler() -> Sampler:
    sampler = Sampler(crops_per_s=1, max_crops_per_s=5, tolerance_s=0.1)
    sampler.begin("t")
    return sampler


def _taken(sampler: Sampler, times: Iterable[float]) -> list[float]:
    """When a crop is taken, if every face is fit for one."""
    taken = []
    for at_s in times:
        if sampler.due("t", at_s):
            sampler.took("t", at_s)
            taken.append(at_s)
    return taken


def _analyses(begin_s: float, end_s: float, fps: float = 5) -> list[float]:
    return [begin_s + index / fps for index in range(round((end_s - begin_s) * fps))]


def test_due_first_crop_at_once_then_one_a_second() -> None:
    assert _taken(_sampler(), _analyses(10, 14)) == pytest.approx([10, 11, 12, 13])


def test_due_stays_so_until_a_crop_is_taken() -> None:
    sampler = _sampler()
    assert all(sampler.due("t", at_s) for at_s in _analyses(0, 3))


def test_a_crop_waits_for_a_better_chance_but_not_the_first_and_never_so_long_that_one_is_missed() -> None:
    """Every other picture offers a better one."""

    def taken(sampler: Sampler, begin_s: float) -> list[float]:
        times = []
        for number, at_s in enumerate(_analyses(begin_s, begin_s + 5)):
            if sampler.due("t", at_s, patient_s=0.2 if number % 2 else 0.0):
                sampler.took("t", at_s)
                times.append(round(at_s - begin_s, 6))
        return times

    assert taken(_sampler(), 10) == pytest.approx([0, 1.2, 2, 3.2, 4])
    sampler = _sampler()
    assert sampler.due("t", 0, patient_s=0.2)
    sampler.took("t", 0)
    sampler.demand(_demand(5, expires_s=100))
    assert len(taken(sampler, 1)) == 25


def test_demand_raises_the_rate_at_once_and_until_it_expires() -> None:
    sampler = _sampler()
    assert _taken(sampler, _analyses(0, 2)) == pytest.approx([0, 1])
    sampler.demand(_demand(5, expires_s=4))
    assert len(_taken(sampler, _analyses(2, 4))) == 10
    assert len(_taken(sampler, _analyses(4.2, 8.2))) == 4


@pytest.mark.parametrize(("asked", "got"), [(2, 20), (2.5, 25), (5, 50), (100, 50), (0.5, 5), (0, 1), (-1, 1)])
def test_demand_rate_is_kept_on_average_within_bounds(asked: float, got: int) -> None:
    sampler = _sampler()
    sampler.demand(_demand(asked, expires_s=100))
    assert len(_taken(sampler, _analyses(0, 10, fps=20))) == pytest.approx(got, abs=1)


def test_demand_the_latest_wins() -> None:
    sampler = _sampler()
    sampler.demand(_demand(5, expires_s=100))
    sampler.demand(_demand(1, expires_s=100))
    assert len(_taken(sampler, _analyses(0, 10))) == 10


def test_demand_for_a_track_that_is_not_alive_is_ignored() -> None:
    sampler = _sampler()
    sampler.end("t")
    sampler.demand(_demand(5, expires_s=100))
    sampler.begin("t")
    assert len(_taken(sampler, _analyses(0, 10))) == 10


def test_demand_from_another_thread_while_sampling() -> None:
    sampler = _sampler()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for rate in (0, 5, 1):
                sampler.demand(_demand(rate, expires_s=1e9))
                sampler.demand(_demand(rate, expires_s=-1))
                sampler.demand(_demand(rate, 1e9, track="other"))

    asker = threading.Thread(target=ask)
    asker.start()
    taken = _taken(sampler, _analyses(0, 400))
    stop.set()
    asker.join()
    assert 15 <= len(taken) <= 2000


@settings(max_examples=50, deadline=None)
@given(fps=st.floats(5, 60), rate=st.floats(0.2, 5))
def test_pace_keeps_its_rate_without_drift_on_any_frame_rate(fps: float, rate: float) -> None:
    pace = Pace(0.25 / rate)
    done = 0
    for index in range(round(30 * fps)):
        at_s = index / fps
        if pace.due(at_s, 1 / rate):
            pace.mark(at_s, 1 / rate)
            done += 1
    assert done == pytest.approx(30 * rate, abs=0.02 * 30 * rate + 1.5)


def test_pace_a_gap_is_not_made_up_for() -> None:
    pace = Pace(0.0)
    pace.mark(0, 1)
    assert pace.due(60, 1)
    pace.mark(60, 1)
    assert not pace.due(60.5, 1)
    assert pace.due(61, 1)


def test_due_earlier_where_the_next_chance_is_late_and_no_more_often_for_it() -> None:
    sampler, taken = _sampler(), []
    for at_s in [10 + index * 0.8 for index in range(40)]:  # 32 s
        if sampler.due("t", at_s, early_s=0.3):
            sampler.took("t", at_s)
            taken.append(at_s)
    assert len(taken) == pytest.approx(32, abs=1)
    assert not _sampler_after(10).due("t", 10.8)
    assert _sampler_after(10).due("t", 10.8, early_s=0.3)


def _sampler_after(at_s: float) -> Sampler:
    sampler = _sampler()
    sampler.took("t", at_s)
    return sampler


def test_demanded_is_the_most_that_is_asked_of_a_track_now() -> None:
    sampler = _sampler()
    sampler.begin("u")
    assert sampler.demanded_per_s(10) == 0
    sampler.demand(_demand(3, expires_s=12))
    sampler.demand(_demand(9, expires_s=11, track="u"))
    assert [sampler.demanded_per_s(at_s) for at_s in (10, 11.5, 13)] == [5, 3, 0]
