from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.messages import TrackObservation
from monitor.tracking.blocks import BlockAccount

_BOX = (0.0, 0.0, 10.0, 10.0)


def _account(first_seen_s: float) -> BlockAccount:
    return BlockAccount("lobby", "t", first_seen_s, _BOX)


def test_see_tells_a_block_when_the_next_begins() -> None:
    account = _account(10.4)
    assert account.see(10.4, 10.9, _BOX) == []
    account.sample()
    account.gate("small")
    account.gate("small")
    account.gate("pose")
    (told,) = account.see(10.9, 11.1, (1, 1, 11, 11))
    assert (told.stream, told.track, told.block, told.at_s) == ("lobby", "t", 10, 11.1)
    assert told.present_s == pytest.approx(0.6)
    assert (told.sampled, told.gated, told.ended, told.first_seen_s) == (1, {"small": 2, "pose": 1}, False, 10.4)


def test_see_presence_is_divided_at_the_edges_of_blocks() -> None:
    account = _account(10.8)
    told = account.see(10.8, 13.3, _BOX) + account.end(13.3)
    assert [observation.block for observation in told] == [10, 11, 12, 13]
    assert [observation.present_s for observation in told] == pytest.approx([0.2, 1, 1, 0.3])


def test_advance_blocks_without_a_sighting_are_not_told() -> None:
    account = _account(0.0)
    account.see(0.0, 0.4, _BOX)
    told = [observation for at_s in (0.6, 1.2, 2.2, 3.2) for observation in account.advance(at_s, at_s)]
    assert [observation.block for observation in told] == [0]
    (back,) = account.see(4.4, 4.4, _BOX) + account.advance(5.0, 5.0)
    assert (back.block, back.present_s) == (4, 0.0)


def test_end_in_the_block_of_the_last_sighting_is_one_message() -> None:
    account = _account(0.0)
    account.see(0.0, 0.4, _BOX)
    (told,) = account.end(0.9)
    assert told.ended
    assert told.present_s == pytest.approx(0.4)


def test_end_in_a_later_block_does_not_count_the_last_one_twice() -> None:
    account = _account(0.0)
    account.see(0.0, 0.4, _BOX)
    account.sample()
    told = account.end(2.4)
    assert [(observation.block, observation.sampled, observation.ended) for observation in told] == [
        (0, 1, False),
        (2, 0, True),
    ]
    assert [observation.at_s for observation in told] == [2.4, 2.4]


@given(
    begin_s=st.floats(0, 1e5),
    steps_s=st.lists(st.tuples(st.floats(0.001, 3), st.sampled_from(["seen", "lost"])), max_size=60),
)
def test_account_adds_up_whatever_happens(begin_s: float, steps_s: list[tuple[float, str]]) -> None:
    account, told, present_s, sightings = _account(begin_s), list[TrackObservation](), 0.0, 1
    at_s, seen_before = begin_s, True
    for step_s, what in steps_s:
        since_s, at_s = at_s, at_s + step_s
        if what == "lost":
            told += account.advance(at_s, at_s)
        else:
            told += account.see(since_s if seen_before else at_s, at_s, _BOX)
            present_s += at_s - since_s if seen_before else 0
            account.sample()
            sightings += 1
        seen_before = what == "seen"
    told += account.end(at_s)

    assert sum(observation.present_s for observation in told) == pytest.approx(present_s, abs=1e-6)
    assert all(-1e-9 <= observation.present_s <= 1 + 1e-9 for observation in told)
    assert sum(observation.sampled for observation in told) == sightings - 1
    assert all(first.block < second.block for first, second in pairwise(told))
    assert [observation.ended for observation in told] == [False] * (len(told) - 1) + [True]
