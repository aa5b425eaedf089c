from __future__ import annotations

import pytest

from monitor.access.throttle import Throttle


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tries_within(throttle: Throttle, clock: Clock, seconds: float, address: str, name: str) -> int:
    """Tries of somebody who is wrong each time, and asks again as soon as they may."""
    end_s, tries = clock.now_s + seconds, 0
    while clock.now_s < end_s:
        wait_s = throttle.begin(address, name)
        if wait_s == 0:
            tries += 1
        clock.now_s += wait_s
    return tries


def test_a_few_mistakes_cost_nothing_and_then_delays_grow(clock: Clock) -> None:
    throttle = Throttle(clock)
    assert [throttle.begin("192.0.2.1", "anna") for _ in range(5)] == [0.0] * 5
    first = throttle.begin("192.0.2.1", "anna")
    assert first > 0
    clock.now_s += first
    assert throttle.begin("192.0.2.1", "anna") == 0
    assert throttle.begin("192.0.2.1", "anna") > first


def test_an_address_has_few_tries_a_day(clock: Clock) -> None:
    throttle = Throttle(clock)
    # Each of another name, so that only the address is slowed down.
    end_s, tries = clock.now_s + 86_400, 0
    while clock.now_s < end_s:
        wait_s = throttle.begin("192.0.2.1", f"user{tries}")
        tries += wait_s == 0
        clock.now_s += wait_s
    assert tries < 150


def test_a_name_is_guessed_slowly_from_however_many_addresses(clock: Clock) -> None:
    throttle = Throttle(clock)
    tries = 0
    for number in range(50_000):
        tries += throttle.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "anna") == 0
    assert tries <= 6


def test_addresses_of_one_home_count_as_one(clock: Clock) -> None:
    throttle = Throttle(clock)
    tries = [throttle.begin(f"2001:db8:1:2::{number:x}", f"user{number}") for number in range(20)]
    assert tries.count(0.0) <= 6
    assert throttle.begin("2001:db8:1:3::1", "somebody") == 0
    assert throttle.begin("::ffff:192.0.2.1", "somebody") == 0


def test_who_logged_in_from_there_before_is_not_locked_out_by_others(clock: Clock) -> None:
    throttle = Throttle(clock)
    throttle.begin("192.0.2.1", "anna")
    throttle.succeed("192.0.2.1", "anna")
    for number in range(20):
        throttle.begin(f"198.51.100.{number}", "anna")
    assert throttle.begin("198.51.100.99", "anna") > 0
    assert throttle.begin("192.0.2.1", "anna") == 0


def test_an_account_of_ones_own_does_not_help_to_guess_others(clock: Clock) -> None:
    throttle = Throttle(clock)
    wrong = 0
    for _ in range(100):
        if throttle.begin("192.0.2.1", "mallory") == 0:
            throttle.succeed("192.0.2.1", "mallory")
        wrong += throttle.begin("192.0.2.1", "anna") == 0
    assert wrong <= 6


def test_tries_at_once_are_counted_before_any_of_them_has_failed(clock: Clock) -> None:
    throttle = Throttle(clock)
    assert [throttle.begin("192.0.2.1", "anna") for _ in range(1000)].count(0.0) <= 6


def test_waiting_longer_than_an_hour_is_forgiven(clock: Clock) -> None:
    throttle = Throttle(clock)
    tries_within(throttle, clock, 7200, "192.0.2.1", "anna")
    clock.now_s += 3 * 3600
    assert [throttle.begin("192.0.2.1", "anna") for _ in range(5)] == [0.0] * 5


def test_memory_is_bounded_whoever_asks(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(60_000):
        throttle.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"user{number}" * 100)
        throttle.succeed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"user{number}")
    assert throttle.kept() <= 30_000
