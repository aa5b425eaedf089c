from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from monitor.decision.cusum import Cusum
from monitor.decision.evidence import TrackEvidence
from monitor.decision.fitting import Fakes, RealSession, TrackCrops, fit, peak
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.scores import Curve, Scorer, weight_of

AS_IT_IS = Scorer((0.0,), (Curve("platt", 1, 1, 0),))


def track(seed: int, seconds: int = 400, mean: float = -3.0) -> TrackCrops:
    """One crop a second, as correlated as those of a person are; a quarter of them missing."""
    rng = np.random.default_rng(seed)
    logits = lfilter([1.0], [1.0, -0.8], rng.standard_normal(seconds) * 0.6) + mean
    seen = rng.random(seconds) < 0.75
    return TrackCrops(np.flatnonzero(seen), logits[seen], rng.random(int(seen.sum())))


def footage(sessions: int) -> list[RealSession]:
    return [RealSession(f"s{n}", (track(2 * n), track(2 * n + 1))) for n in range(sessions)]


def fakes(sessions: int, count: int = 400, shift: float = 3.0) -> Fakes:
    rng = np.random.default_rng(99)
    logits = np.concatenate([rng.normal(-3 + shift, 1, count) for _ in range(sessions)])
    return Fakes(logits, rng.random(len(logits)), np.repeat(np.arange(sessions), count))


def test_footage_with_enough_crops_makes_curves_by_quality_and_measures_them_on_sessions_left_out() -> None:
    fitted = fit(footage(6), fakes(6))
    assert fitted.uncurved is None
    assert len(fitted.curves) == 3
    assert fitted.calibration_error is not None
    assert fitted.calibration_error < 0.05
    assert fitted.reliability is not None
    assert [each.least_quality for each in fitted.by_quality] == [each.least_quality for each in fitted.curves]
    assert sum(each.fake for each in fitted.by_quality) == fitted.reliability.fake == 2400
    assert sum(each.real for each in fitted.by_quality) == fitted.reliability.real
    assert all(each.error < 0.1 for each in fitted.by_quality)
    assert fitted.correlation_blocks == pytest.approx(9, rel=0.3)
    assert [session.name for session in fitted.sessions] == [f"s{n}" for n in range(6)]
    assert all(len(session.peaks) == 2 for session in fitted.sessions)


def test_peaks_are_what_the_monitor_would_have_come_to() -> None:
    fitted = fit(footage(3), fakes(3))
    crops = track(0, mean=0.5)
    rule = LikelihoodRatio(fitted.population)
    evidence = TrackEvidence(rule)
    highest = 0.0
    for block, logit, quality in zip(crops.block, crops.logits, crops.quality, strict=True):
        evidence.add(fitted.scorer.score(logit, quality), float(block), weight_of(quality))
        highest = max(highest, evidence.fake)
    assert peak(crops, fitted.scorer, rule) == pytest.approx(highest, abs=1e-12)
    assert highest > 1


def test_crops_of_one_second_are_one_block() -> None:
    burst = TrackCrops(np.array([5, 5, 5, 7]), np.array([1.0, 2.0, 3.0, 9.0]), np.ones(4))
    np.testing.assert_allclose(burst.scores(AS_IT_IS), [2.0, np.nan, 6.0])
    assert peak(burst, AS_IT_IS, Cusum(clip=6, drift=0.6)) == pytest.approx(2 - 0.6 + 6 - 0.6)


def test_evidence_in_the_midst_of_a_second_counts_as_it_would_raise_an_alert() -> None:
    falling = TrackCrops(np.array([4, 5, 5]), np.array([0.0, 4.0, -4.0]), np.ones(3))
    assert peak(falling, AS_IT_IS, Cusum(clip=6, drift=0.6)) == pytest.approx(4 - 0.6)


def test_evidence_of_a_first_second_raises_nothing_and_does_not_count() -> None:
    first = TrackCrops(np.array([4, 4, 5]), np.array([5.0, 5.0, -9.0]), np.ones(3))
    assert peak(first, AS_IT_IS, Cusum(clip=6, drift=0.6)) == 0


def test_few_crops_leave_log_odds_as_they_are() -> None:
    short = [RealSession("s", (TrackCrops(np.arange(8), np.full(8, -2.0), np.ones(8)),))]
    fitted = fit(short, fakes(1, count=4))
    assert fitted.uncurved == "8 scored crops and 4 made fakes are too few to calibrate scores (100 of each needed)"
    assert fitted.scorer.score(2.0, 1.0) == pytest.approx(2.0)


def test_an_encoder_that_sees_no_difference_leaves_log_odds_as_they_are() -> None:
    fitted = fit(footage(4), fakes(4, shift=-2.0))
    assert fitted.uncurved is not None
    assert "does not tell" in fitted.uncurved
    assert fitted.calibration_error is None
    assert (fitted.reliability, fitted.by_quality) == (None, ())


def test_one_session_alone_says_nothing_of_how_reliable_scores_are() -> None:
    fitted = fit(footage(1), fakes(1))
    assert fitted.uncurved is None
    assert (fitted.reliability, fitted.by_quality, fitted.calibration_error) == (None, (), None)


def test_sessions_without_a_face_count_as_sessions() -> None:
    fitted = fit([*footage(2), RealSession("empty", ())], fakes(2))
    assert fitted.sessions[-1].peaks == ()
    with pytest.raises(ValueError, match="no face"):
        fit([RealSession("empty", ())], fakes(1))
