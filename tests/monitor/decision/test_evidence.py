from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decision.evidence import EvidenceRule, TrackEvidence

RULE = EvidenceRule(clip=3.0, drift=1.0, cap=24.0)


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
