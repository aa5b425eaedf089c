from __future__ import annotations

from monitor.backoff import Backoff


def test_waits_double_up_to_a_bound_and_begin_again_after_a_success() -> None:
    backoff = Backoff(0.5, 30)
    for _ in range(2):
        for longest_s in (0.5, 1, 2, 4, 8, 16, 30, 30, *[30] * 2000):
            assert longest_s / 2 <= backoff.next_s() <= longest_s
        backoff.reset()


def test_waits_differ() -> None:
    assert len({Backoff(1, 1).next_s() for _ in range(20)}) > 10
