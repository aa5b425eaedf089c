from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from monitor.decision.correlation import correlation_time
from monitor.decision.population import Population, measure_population


def people(count: int, seconds: int, *, between: float = 2.0, rho: float = 0.8) -> list[np.ndarray]:
    """Tracks of an eighth to once that length; one second of four is missing."""
    rng = np.random.default_rng(0)
    tracks = []
    for length in rng.integers(seconds // 8, seconds, count):
        shocks = rng.standard_normal(length) * np.sqrt(1 - rho**2)
        track = lfilter([1.0], [1.0, -rho], shocks) + rng.normal(-3, between**0.5)
        track[rng.random(length) < 0.25] = np.nan
        tracks.append(track)
    return tracks


def measured(tracks: list[np.ndarray], fakes: np.ndarray | None = None) -> Population:
    return measure_population(tracks, correlation_time(tracks), np.zeros(0) if fakes is None else fakes)


def test_people_and_their_seconds_are_told_apart() -> None:
    tracks = people(400, 800)
    population = measured(tracks, np.random.default_rng(1).normal(3, 1, 1000))
    assert population.mean == pytest.approx(-3, abs=0.2)
    assert population.between == pytest.approx(2, rel=0.2)
    assert population.shift == pytest.approx(6, abs=0.3)
    # (1 + 0.8) / (1 - 0.8) seconds say as much as one.
    assert population.noise == pytest.approx(9, rel=0.25)


def test_people_who_are_alike_are_not_told_to_differ() -> None:
    assert measured(people(200, 400, between=0.0)).between < 0.1


def test_fakes_that_are_hardly_told_apart_say_nothing_of_others() -> None:
    tracks = people(50, 400)
    alike = measured(tracks, np.random.default_rng(1).normal(-3, 1, 1000))
    assert alike.shift == measured(tracks).shift == pytest.approx(3**0.5, rel=0.2)


@pytest.mark.parametrize("tracks", [[np.array([-2.0])], [np.full(50, -2.0)], [np.full(50, -2.0)] * 3])
def test_little_footage_makes_something_that_can_be_divided_by(tracks: list[np.ndarray]) -> None:
    population = measured(tracks, np.array([4.0]))
    assert population.mean == pytest.approx(-2)
    assert min(population.between, population.noise, population.shift) > 0


def test_no_score_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no score"):
        measured([np.array([np.nan])])
