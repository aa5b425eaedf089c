from __future__ import annotations

import numpy as np
import pytest

from monitor.decision.scores import (
    NOTHING,
    Curve,
    Scorer,
    balanced_loss,
    calibration_error,
    fit_curve,
    reliability,
    weight_of,
)

RNG = np.random.default_rng(0)


def two_classes(reals: int, fakes: int, *, mean: float = -3.0, shift: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    logits = np.concatenate([rng.normal(mean, 1, reals), rng.normal(mean + shift, 1, fakes)])
    return logits, np.arange(reals + fakes) >= reals


def test_scores_of_normal_logits_are_their_likelihood_ratios_whatever_the_share_of_fakes() -> None:
    # log N(x; 0, 1) - log N(x; -3, 1) = 3 x + 4.5
    for fakes in (8000, 800):
        logits, fake = two_classes(8000, fakes)
        curve = fit_curve(logits, fake, np.arange(len(logits)) % 10)
        at = np.array([-3.0, -1.5, 0.0])
        np.testing.assert_allclose(curve(at), 3 * at + 4.5, atol=0.6)


def test_a_curve_that_bends_is_taken_where_it_tells_more() -> None:
    # Real faces are sure to be real, fakes as likely called one as the other: slopes differ at the ends.
    rng = np.random.default_rng(2)
    logits = np.concatenate([rng.normal(-4, 1, 4000), rng.normal(-1, 4, 4000)])
    fake = np.arange(8000) >= 4000
    sessions = np.arange(8000) % 20
    curve = fit_curve(logits, fake, sessions)
    assert curve.kind == "beta"
    line = Curve("platt", 1.0, 1.0, 2.0)
    assert balanced_loss(curve(logits), fake) < balanced_loss(line(logits), fake)


def test_log_odds_that_say_nothing_or_the_opposite_score_nothing() -> None:
    logits, fake = two_classes(500, 500)
    curve = fit_curve(logits, ~fake, np.arange(1000) % 5)
    assert curve.above == curve.below == 0
    np.testing.assert_array_equal(curve(logits), np.full(1000, curve.offset))
    assert abs(curve.offset) < 1e-9


def test_noise_scores_nothing_rather_than_one_number() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        curve = fit_curve(rng.normal(0, 2, 60), np.arange(60) % 2 == 0, np.arange(60) % 6)
        if curve.above == curve.below == 0:
            assert curve.offset == 0


def test_classes_that_do_not_overlap_make_a_finite_curve() -> None:
    logits = np.concatenate([np.full(200, -8.0), np.full(200, 8.0)])
    curve = fit_curve(logits, np.arange(400) >= 200, np.arange(400) % 4)
    assert np.isfinite(curve(np.array([-1e4, 0.0, 1e4]))).all()
    assert curve(8.0) > 2


@pytest.mark.parametrize("fake", [np.zeros(9, dtype=bool), np.ones(9, dtype=bool)])
def test_one_class_is_refused(fake: np.ndarray) -> None:
    with pytest.raises(ValueError, match="one class"):
        fit_curve(np.zeros(9), fake, np.zeros(9, dtype=np.int64))


def test_logits_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        fit_curve(np.array([0.0, np.inf]), np.array([False, True]), np.zeros(2, dtype=np.int64))


def test_scores_are_the_log_odds_where_a_line_of_slope_one_says_so() -> None:
    x = np.linspace(-800, 800, 33)
    np.testing.assert_allclose(Curve("platt", 1, 1, 0)(x), x, atol=1e-9)
    assert np.isnan(Curve("platt", 1, 1, 0)(np.nan))


def test_a_crop_is_scored_by_the_curve_of_its_quality() -> None:
    scorer = Scorer((0.0, 0.5), (NOTHING, Curve("platt", 1, 1, 0)))
    assert scorer.score(6.0, 0.49) == 0
    assert scorer.score(6.0, 0.5) == pytest.approx(6.0)
    np.testing.assert_allclose(scorer.scores(np.array([6.0, 6.0, 5.0]), np.array([0.49, 0.5, 1.0])), [0, 6, 5])
    assert [weight_of(quality) for quality in (0.0, 0.5, 1.0, 7.0)] == [0.5, 0.75, 1.0, 1.0]


def test_reliability_of_what_is_said_rightly_and_wrongly() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0, 2, 40_000)
    fake = rng.random(40_000) < 1 / (1 + np.exp(-scores))
    balance = np.log(fake.mean() / (1 - fake.mean()))  # classes count the same: as if there were as many of both
    assert calibration_error(reliability(scores - balance, fake)) < 0.02
    assert calibration_error(reliability(3 * scores - balance, fake)) > 0.08
    bins = reliability(scores, fake)
    assert sum(each.weight for each in bins) == pytest.approx(1)
    assert all(0 <= each.said <= 1 and 0 <= each.seen <= 1 for each in bins)
