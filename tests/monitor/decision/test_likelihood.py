from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from monitor.decision.evidence import TrackEvidence
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.population import Population

PEOPLE = Population(mean=-2.5, between=2.0, noise=9.0, shift=4.0)


def evidence_after(scores: list[float], rule: LikelihoodRatio | None = None, weight: float = 1.0) -> TrackEvidence:
    evidence = TrackEvidence(rule or LikelihoodRatio(PEOPLE))
    for second, score in enumerate(scores):
        evidence.add(score, second, weight)
    return evidence


def likelihood_ratio(scores: list[float], switch: int) -> float:
    """By the whole joint densities: a person of the population, manipulated from second `switch` on or never."""
    covariance = PEOPLE.between + PEOPLE.noise * np.eye(len(scores))
    real = np.full(len(scores), PEOPLE.mean)
    fake = real + PEOPLE.shift * (np.arange(len(scores)) >= switch)
    log_densities = [multivariate_normal(mean, covariance).logpdf(scores) for mean in (fake, real)]
    return float(log_densities[0] - log_densities[1])


def test_a_face_fake_from_its_first_second_has_the_likelihood_ratio_of_its_seconds() -> None:
    scores = [1.0, 3.0, -1.0, 2.0, 2.5]
    # A second long ago counts a little less, which five seconds hardly show.
    assert evidence_after(scores).fake == pytest.approx(likelihood_ratio(scores, switch=0), rel=0.02)
    real = [-3.0, -4.0, -1.0, -2.0, -5.0]
    assert evidence_after(real).real == pytest.approx(-likelihood_ratio(real, switch=0), rel=0.02)


def test_a_switch_has_the_likelihood_ratio_of_its_seconds_less_what_any_moment_costs() -> None:
    scores = [-3.0] * 300 + [2.0] * 12
    rule = LikelihoodRatio(PEOPLE)
    assert evidence_after(scores).fake == pytest.approx(likelihood_ratio(scores, 300) - rule.switch_nats, abs=1e-6)


def test_a_late_switch_is_found_as_soon_as_an_early_fake() -> None:
    def seconds_to(threshold: float, past: int) -> int:
        scores = [-2.5] * past
        while evidence_after(scores).fake < threshold:
            scores.append(1.5)
        return len(scores) - past

    assert seconds_to(2.0, past=1200) <= 2 * seconds_to(2.0, past=0)


def test_a_person_who_looks_a_little_fake_for_hours_stays_such_a_person() -> None:
    """One in forty real people scores two deviations above the mean: no more than that ever follows."""
    high = PEOPLE.mean + 2 * PEOPLE.between**0.5
    minutes, hours = evidence_after([high] * 600), evidence_after([high] * 7200)
    assert hours.fake == pytest.approx(minutes.fake, rel=0.1)
    assert hours.fake < PEOPLE.shift * (high - PEOPLE.mean - PEOPLE.shift / 2) / PEOPLE.between


def test_a_face_that_becomes_real_is_soon_seen_to_be() -> None:
    rule = LikelihoodRatio(PEOPLE, cap=6.0)
    scores = [-2.5] * 600 + [2.0] * 3600
    assert evidence_after(scores, rule).fake == 6.0
    assert evidence_after(scores + [-2.5] * 150, rule).fake < 1.5


def test_a_face_that_was_fake_for_hours_is_seen_to_be_real_also_where_evidence_never_came_to_the_cap() -> None:
    fake = [1.5] * 4 * 3600
    assert evidence_after(fake).fake == pytest.approx(3.9, abs=0.1)
    assert evidence_after([*fake, *[-2.5] * 700]).fake == 0


def test_one_extreme_second_after_the_quorum_raises_nothing() -> None:
    for past in (7, 60, 600):
        assert evidence_after([-2.5] * past + [1e9]).fake < 1.5


def test_a_switch_takes_two_seconds_however_fake_and_however_exact_the_encoder_is() -> None:
    exact = LikelihoodRatio(Population(mean=-4.0, between=1.0, noise=1.0, shift=2.0))
    assert evidence_after([-4.0] * 300 + [6.0], exact).fake == 0
    assert evidence_after([-4.0] * 300 + [6.0] * 2, exact).fake > 3


def test_seconds_of_less_weight_are_less_seconds() -> None:
    half = evidence_after([2.0] * 4, weight=0.5)
    assert half.fake == pytest.approx(evidence_after([2.0] * 2).fake, rel=0.02)


@given(
    st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=60),
    st.sampled_from([3.0, float("inf")]),
    st.floats(0, 5),
)
def test_many_tracks_at_once_are_each_to_the_last_bit_what_they_are_alone(
    scores: list[float | None], cap: float, switch_nats: float
) -> None:
    rule = LikelihoodRatio(PEOPLE, cap, switch_nats)
    evidence = TrackEvidence(rule)
    alone = []
    for second, score in enumerate(scores):
        if score is not None:
            evidence.add(score, second)
        alone.append(evidence.fake)
        assert 0 <= evidence.fake <= cap
        assert evidence.real >= 0
    blocks = np.array([np.nan if score is None else score for score in scores])
    many = np.column_stack([blocks, -blocks])
    together, _ = rule.upper(many)
    np.testing.assert_array_equal(together[:, 0], alone)
    half = len(scores) // 2
    first, state = rule.upper(many[:half])
    for _ in range(2):  # a state can be gone on from again
        second_half, _ = rule.upper(many[half:], state)
        np.testing.assert_array_equal(np.concatenate([first, second_half]), together)
