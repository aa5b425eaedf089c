from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from monitor.decision.promise import Aim, promise, promise_curve, realised, sessions_needed

Sessions = list[NDArray[np.float64]]


def sessions(*peaks: list[float]) -> Sessions:
    return [np.array(each, dtype=np.float64) for each in peaks]


peaks_strategy = st.lists(
    st.lists(st.floats(0, 50), max_size=4).map(lambda each: np.array(each, dtype=np.float64)), min_size=1, max_size=40
)


@pytest.mark.parametrize(("most", "confidence", "days"), [(1, None, 9), (2, None, 19), (1, 0.95, 29)])
def test_a_tenth_of_an_alarm_a_day_wants_so_many_days_of_real_footage(
    most: int, confidence: float | None, days: int
) -> None:
    aim = Aim(0.1, session_hours=24, most_alerts=most, confidence=confidence)
    assert sessions_needed(aim) == days
    quiet = sessions(*[[1.0]] * days)
    assert promise(quiet, aim).kept
    early = promise(quiet[:-3], aim)
    assert not early.kept
    assert early.missing_hours == 3 * 24
    assert early.promised_per_day > 0.1


@settings(max_examples=60, deadline=None)
@given(peaks_strategy, st.sampled_from([(1, None), (3, None), (1, 0.95), (3, 0.9)]), st.floats(0.05, 40))
def test_the_curve_goes_through_what_is_promised(peaks: Sessions, form: tuple[int, float | None], rate: float) -> None:
    most, confidence = form
    aim = Aim(rate, session_hours=2, most_alerts=most, confidence=confidence)
    curve = promise_curve(peaks, aim, least=0.5, points=1000)
    assert (np.diff(curve.thresholds) > 0).all()
    assert (np.diff(curve.promised_per_day) <= 0).all()
    assert confidence is not None or (curve.promised_per_day >= curve.seen_per_day - 1e-9).all()
    for threshold, seen in zip(curve.thresholds, curve.seen_per_day, strict=True):
        assert seen == pytest.approx(12 * realised(peaks, float(threshold), most))
    made = promise(peaks, aim, least=0.5)
    reached = int(np.searchsorted(curve.thresholds, made.threshold, side="right")) - 1
    assert curve.promised_per_day[reached] == pytest.approx(made.promised_per_day)
    # Where what is asked for is kept, this is the first threshold to keep it.
    if made.kept:
        assert curve.thresholds[reached] == made.threshold
        assert reached == 0 or curve.promised_per_day[reached - 1] > rate


def test_a_curve_of_much_footage_keeps_its_ends() -> None:
    peaks = sessions(*[[0.01 * number] for number in range(2000)])
    curve = promise_curve(peaks, Aim(1.0, session_hours=24), points=50)
    assert len(curve.thresholds) == 50
    assert curve.seen_per_day[-1] == 0
    assert curve.promised_per_day[-1] == pytest.approx(1 / 2001)
    assert curve.seen_per_day[0] == pytest.approx(1999 / 2000)


def test_hours_that_are_missing_do_not_depend_on_how_they_are_cut() -> None:
    assert promise([], Aim(0.1, session_hours=24)).missing_hours == pytest.approx(216)
    assert promise([], Aim(0.1, session_hours=1)).missing_hours == pytest.approx(239)


def test_the_threshold_is_the_least_that_keeps_the_aim() -> None:
    # Of 9 sessions one may alarm: (1 + 1) / (9 + 1) = 0.2 a session, 4.8 a day for sessions of one hour.
    real = sessions([1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0], [9.0])
    made = promise(real, Aim(4.8, session_hours=1))
    assert made.kept
    assert made.threshold == np.nextafter(8.0, np.inf)
    assert made.promised_per_day == pytest.approx(4.8)
    assert realised(real, made.threshold, 1) == pytest.approx(1 / 9)
    assert realised(real, 8.0, 1) == pytest.approx(2 / 9)


def test_a_session_counts_no_more_than_the_alerts_it_may_raise() -> None:
    crowded = sessions([9.0, 9.0, 9.0], [1.0], [1.0])
    assert realised(crowded, 5.0, 1) == pytest.approx(1 / 3)
    assert realised(crowded, 5.0, 2) == pytest.approx(2 / 3)
    assert realised(crowded, 5.0, 5) == pytest.approx(1.0)


def test_no_threshold_is_under_the_least() -> None:
    made = promise(sessions(*[[0.5]] * 100), Aim(100, session_hours=24), least=3.0)
    assert made.threshold > 3.0
    assert made.kept


@settings(deadline=None)
@given(peaks_strategy, st.floats(0.1, 50), st.integers(1, 3), st.sampled_from([None, 0.9]))
def test_what_is_promised_is_the_bound_at_the_threshold(
    real: Sessions, per_day: float, most: int, confidence: float | None
) -> None:
    aim = Aim(per_day, session_hours=1, most_alerts=most, confidence=confidence)
    made = promise(real, aim)
    counted = realised(real, made.threshold, most) * len(real)
    if confidence is None:
        assert made.promised_per_day == pytest.approx(24 * (counted + most) / (len(real) + 1))
    assert made.kept == (made.promised_per_day <= per_day * (1 + 1e-12))
    assert made.promised_per_day >= 24 * counted / len(real) * (1 - 1e-9) or not made.kept


@settings(deadline=None)
@given(peaks_strategy, st.floats(0.1, 20))
def test_confidence_asks_for_no_lower_a_threshold(real: Sessions, per_day: float) -> None:
    average, sure = (promise(real, Aim(per_day, 1.0, confidence=each)) for each in (None, 0.95))
    if sure.kept:
        assert average.kept
        assert average.threshold <= sure.threshold


def test_promises_hold_on_average_over_calibrations() -> None:
    rng = np.random.default_rng(0)
    aim = Aim(2.4, session_hours=1)  # a tenth of sessions
    happened = []
    for _ in range(2000):
        real = [rng.exponential(size=rng.integers(1, 4)) for _ in range(30)]
        # One track of k exceeds h with 1 - (1 - e^-h)^k; a session alarms once at the most.
        below = 1 - np.exp(-promise(real, aim).threshold)
        happened.append(np.mean([1 - below**k for k in (1, 2, 3)]))
    error = np.std(happened) / np.sqrt(len(happened))
    assert np.mean(happened) <= aim.alarms_per_session + 2 * error
    assert np.mean(happened) >= 0.5 * aim.alarms_per_session  # not by raising nothing at all


def test_promises_hold_in_the_share_of_calibrations_that_is_asked_for() -> None:
    rng = np.random.default_rng(1)
    aim = Aim(2.4, session_hours=1, confidence=0.9)
    exceeded = 0
    for _ in range(1000):
        real = [rng.exponential(size=1) for _ in range(60)]
        exceeded += np.exp(-promise(real, aim).threshold) > aim.alarms_per_session
    assert exceeded <= binom.ppf(0.999, 1000, 0.1)
    assert exceeded > 10  # nor by being so careful that it never happens


def test_evidence_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        promise(sessions([np.nan]), Aim(1, 1))
