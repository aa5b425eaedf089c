"""When packets are left to gather between two looks, on a clock that only sleep moves on."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from monitor.ingest import Needs
from monitor.ingest.pacing import Pacer, Rest
from monitor.ingest.turn import Turn

_FRAME_S = 0.04


class _Asleep(Turn):
    """Its own clock; waits by moving that on."""

    def __init__(self) -> None:
        self.at_s = 100.0
        self.waits: list[float] = []
        super().__init__(self)

    def now_s(self) -> float:
        return self.at_s

    def wall(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, UTC)

    def wait(self, seconds: float) -> None:
        self.waits.append(round(seconds, 3))
        self.at_s += seconds


class _Looks:
    """Whoever looks at pictures, and says when the next one is due."""

    def __init__(self, turn: _Asleep) -> None:
        self.next_s = -math.inf
        self.rest = Rest(Needs(5, 2, lambda: 0.0, next_look_s=lambda: self.next_s), _FRAME_S, turn)


def test_who_looks_five_times_a_second_sleeps_until_the_next_look_is_due() -> None:
    turn = _Asleep()
    looks = _Looks(turn)
    rest = looks.rest
    rest.take(turn)
    assert (turn.waits, rest.caught_up) == ([], True)
    rest.looked()
    looks.next_s = turn.at_s + 0.17
    rest.take(turn)
    assert (turn.waits, rest.caught_up) == ([0.17], False)


def test_who_has_not_said_yet_when_the_next_look_is_due_is_asked_again_later() -> None:
    turn = _Asleep()
    looks = _Looks(turn)
    rest = looks.rest
    rest.looked()
    looks.next_s = turn.at_s  # of the look before
    rest.take(turn)
    assert turn.waits == [0.15]


def test_the_newest_packet_is_the_first_that_had_to_be_waited_for() -> None:
    turn = _Asleep()
    looks = _Looks(turn)
    rest = looks.rest
    looks.next_s = turn.at_s + 0.2
    rest.take(turn)
    for _ in range(4):
        rest.read(waited=False)
        rest.take(turn)
        assert not rest.caught_up
    rest.read(waited=True)
    assert rest.caught_up
    assert turn.waits == [0.2]


def test_who_is_too_slow_to_wait_for_any_packet_counts_as_caught_up_all_the_same() -> None:
    turn = _Asleep()
    looks = _Looks(turn)
    rest = looks.rest
    looks.next_s = turn.at_s + 0.2
    rest.take(turn)
    turn.at_s += 0.11  # half of the time between two looks
    rest.read(waited=False)
    assert rest.caught_up


@pytest.mark.parametrize(("left_s", "waits"), [(0.08, []), (0.081, [0.081]), (7.0, [0.25])])
def test_a_rest_is_worth_its_waking_and_short_enough_for_every_buffer(left_s: float, waits: list[float]) -> None:
    turn = _Asleep()
    looks = _Looks(turn)
    looks.next_s = turn.at_s + left_s
    looks.rest.take(turn)
    assert turn.waits == waits


def test_packets_are_read_as_they_come_where_nobody_says_when_a_picture_is_due() -> None:
    turn = _Asleep()
    for needs in (None, Needs(5, 2, lambda: 0.0)):
        rest = Rest(needs, _FRAME_S, turn)
        rest.looked()
        rest.take(turn)
        assert (turn.waits, rest.caught_up) == ([], True)


def test_a_recording_tells_which_of_its_packets_had_to_be_waited_for() -> None:
    turn = _Asleep()
    pacer = Pacer(turn)
    pacer.begin(_FRAME_S)
    assert not pacer.wait(turn, 7.0)
    assert pacer.wait(turn, 7.04)
    turn.at_s += 0.1
    assert [pacer.wait(turn, 7.08 + number * _FRAME_S) for number in range(4)] == [False, False, True, True]
    assert turn.at_s == pytest.approx(100.2)
