from __future__ import annotations

import numpy as np
import pytest

from monitor.decision.edetector import run_lengths, shiryaev_roberts


def test_it_follows_its_recursion_and_stands_still_where_there_is_no_crop() -> None:
    e = np.array([0.5, 2.0, np.nan, 3.0])
    logs = shiryaev_roberts(np.log(e)[:, None])[:, 0]
    np.testing.assert_allclose(np.exp(logs), [0.5, 3.0, 3.0, 12.0])
    assert shiryaev_roberts(np.array([[np.nan]]))[0, 0] == -np.inf


def test_the_average_run_length_is_at_least_what_is_asked_where_the_assumption_holds() -> None:
    # log N(x; 1, 1) - log N(x; 0, 1) of x ~ N(0, 1): its exponential is 1 on average, given anything that came before.
    rng = np.random.default_rng(0)
    logs = shiryaev_roberts(rng.normal(0, 1, (3000, 2000)) - 0.5)
    lengths = np.minimum(run_lengths(logs, 50.0), 3000)
    assert lengths.mean() > 50
    assert lengths.mean() < 150  # it does alarm


def test_a_real_person_who_scores_high_all_day_breaks_it() -> None:
    rng = np.random.default_rng(1)
    logs = shiryaev_roberts(rng.normal(0.7, 1, (3000, 500)) - 0.5)
    assert run_lengths(logs, 1e6).mean() < 200


@pytest.mark.parametrize("least_run", [10.0, 1e9])
def test_a_track_that_never_gets_there_has_no_run_length(least_run: float) -> None:
    assert run_lengths(shiryaev_roberts(np.full((20, 1), -1.0)), least_run)[0] == np.inf


def test_large_sums_do_not_overflow() -> None:
    assert np.isfinite(shiryaev_roberts(np.full((5000, 1), 5.0))).all()
