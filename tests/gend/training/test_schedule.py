from __future__ import annotations

import pytest

from gend.training.schedule import Schedule


def test_a_cosine_rises_and_falls_to_the_least_rate() -> None:
    rates = [Schedule("cosine", 110, warm_up=10, least=0.1).at(step) for step in range(111)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1
    assert rates[60] == pytest.approx(0.55)
    assert rates[110] == pytest.approx(0.1)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_cycles_start_anew() -> None:
    rate = Schedule("cyclic", 45, warm_up=5, cycle=10)
    assert [rate.at(step) for step in (5, 15, 25)] == [1, 1, 1]
    assert rate.at(14) == pytest.approx(rate.at(24))
    assert rate.at(14) < 0.1


def test_constant_stays_after_the_ramp() -> None:
    assert [Schedule("constant", 9, warm_up=1).at(step) for step in (0, 1, 8)] == [0.5, 1, 1]
