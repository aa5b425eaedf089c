from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from monitor.decision.correlation import correlation_time


def tracks(noise: float, count: int = 60, seconds: int = 2000) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shocks = rng.standard_normal((seconds, count))
    return list((lfilter([1.0], [1.0, -noise], shocks, axis=0) + rng.normal(0, 5, count)).T)


@pytest.mark.parametrize("noise", [0.0, 0.5, 0.8, 0.95])
def test_it_is_that_of_a_first_order_process_however_people_differ(noise: float) -> None:
    assert correlation_time(tracks(noise)) == pytest.approx((1 + noise) / (1 - noise), rel=0.15, abs=0.1)


def test_seconds_without_a_crop_are_left_out() -> None:
    rng = np.random.default_rng(1)
    holed = [np.where(rng.random(len(track)) < 0.3, np.nan, track) for track in tracks(0.8)]
    assert correlation_time(holed) == pytest.approx(9, rel=0.15)


@pytest.mark.parametrize("short", [[], [np.array([1.0])], [np.array([1.0, np.nan, 2.0])], [np.ones(100)]])
def test_too_little_to_measure_is_one(short: list[np.ndarray]) -> None:
    assert correlation_time(short) == 1


def test_scores_that_are_all_the_same_are_not_correlated_by_rounding() -> None:
    assert correlation_time([np.full(300, -5.7), np.full(300, 0.1)]) == 1
