from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.cusum import Cusum
from monitor.decision.evidence import TrackEvidence

RULE = Cusum(clip=3.0, drift=1.0, cap=24.0)


def evidence_after(*blocks: list[float]) -> TrackEvidence:
    evidence = TrackEvidence(RULE)
    for second, logits in enumerate(blocks):
        for number, logit in enumerate(logits):
            assert evidence.add(logit, second + number / 100)
    return evidence


def test_evidence_follows_page_recursion() -> None:
    evidence = evidence_after([2.0], [2.5], [-0.5], [3.0])
    assert evidence.fake == pytest.approx(2.0 - 1 + 2.5 - 1 - 0.5 - 1 + 3.0 - 1)
    assert evidence.real == 0.0
    assert evidence.blocks == 4


def test_evidence_of_a_burst_is_that_of_its_mean() -> None:
    burst = evidence_after([2.0] * 50)
    single = evidence_after([2.0])
    assert burst.fake == pytest.approx(single.fake)
    assert burst.blocks == 1


def test_evidence_of_one_extreme_crop_is_clipped() -> None:
    assert evidence_after([1e9]).fake == RULE.clip - RULE.drift
    assert evidence_after([-1e9]).real == RULE.clip - RULE.drift


def test_evidence_sides_saturate_so_that_change_is_noticed_in_bounded_time() -> None:
    always_fake = evidence_after(*[[3.0]] * 1000)
    assert always_fake.fake == RULE.cap
    for second in range(1000, 1006):
        always_fake.add(-3.0, second)
    assert always_fake.fake == 0.0


def test_evidence_stands_still_over_missing_seconds() -> None:
    evidence = evidence_after([3.0])
    evidence.close_before(1000.0)
    assert evidence.fake == 2.0
    assert evidence.add(3.0, 2000.0)
    assert evidence.fake == 4.0


def test_evidence_refuses_crops_of_a_final_block() -> None:
    evidence = evidence_after([1.0], [1.0])
    before = evidence.fake
    assert not evidence.add(3.0, 0.5)
    assert evidence.late == 1
    assert evidence.fake == before


def test_evidence_does_not_count_a_final_block_again() -> None:
    evidence = evidence_after([3.0])
    evidence.close_before(6.0)
    assert not evidence.add(3.0, 0.9)
    assert (evidence.fake, evidence.blocks, evidence.late) == (2.0, 1, 1)
    assert evidence.add(3.0, 1.0)


@given(st.lists(st.lists(st.floats(-50, 50), min_size=1, max_size=4), max_size=40))
def test_evidence_never_depends_on_when_it_is_looked_at(blocks: list[list[float]]) -> None:
    watched, unwatched = TrackEvidence(RULE), TrackEvidence(RULE)
    for second, logits in enumerate(blocks):
        for logit in logits:
            watched.add(logit, second)
            unwatched.add(logit, second)
            assert 0 <= watched.fake <= RULE.cap
            assert 0 <= watched.real <= RULE.cap
        watched.close_before(second + 1)
    assert watched.fake == pytest.approx(unwatched.fake)
    assert watched.real == pytest.approx(unwatched.real)


def test_a_crop_of_less_weight_says_less_and_a_block_counts_by_the_mean_of_its_weights() -> None:
    evidence = TrackEvidence(Cusum(clip=10, drift=1, cap=100))
    evidence.add(6.0, 0.0, 0.5)
    assert evidence.fake == pytest.approx(6 * 0.5 - 1)
    evidence.add(3.0, 0.5, 1.0)
    assert evidence.fake == pytest.approx((6 * 0.5 + 3) / 2 - 1)


@given(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=60))
def test_many_tracks_at_once_are_each_to_the_last_bit_what_they_are_alone(scores: list[float | None]) -> None:
    rule = Cusum(clip=3.0, drift=0.7, cap=9.0)
    evidence = TrackEvidence(rule)
    alone = []
    for second, score in enumerate(scores):
        if score is not None:
            evidence.add(score, second)
        alone.append(evidence.fake)
    blocks = np.array([np.nan if score is None else score for score in scores])
    together, _ = rule.upper(np.column_stack([blocks, -blocks]))
    np.testing.assert_array_equal(together[:, 0], alone)


def test_a_restart_forgets_all_and_keeps_what_is_final() -> None:
    evidence = evidence_after([3.0], [3.0])
    evidence.restart()
    assert (evidence.fake, evidence.real, evidence.blocks) == (0, 0, 0)
    assert not evidence.add(3.0, 0.5)
    assert evidence.add(3.0, 1.5)
    assert evidence.fake == 2.0
