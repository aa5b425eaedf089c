from __future__ import annotations

import pytest

from monitor.scoring import BatcherStatistics
from monitor.shortage import Shortage


def counted(
    offered: int, *, replaced: int = 0, stale: int = 0, refused: int = 0, forgotten: int = 0
) -> BatcherStatistics:
    taken = offered - replaced - stale - refused - forgotten
    return BatcherStatistics(0, offered, taken, replaced, stale, forgotten, refused, None)


def test_share_is_of_what_the_encoder_was_too_slow_for() -> None:
    shortage = Shortage()
    assert shortage.share == 0
    shortage.look(counted(100, replaced=10, stale=20, refused=5, forgotten=40), 1.0)
    assert shortage.share == pytest.approx(0.35)


def test_share_is_of_the_last_minute() -> None:
    shortage = Shortage()
    for second in range(100):  # two crops a second, of which one is replaced, for 40 s; then none
        late = min(second, 40)
        shortage.look(counted(2 * second, replaced=late), float(second))
        if second == 40:
            assert shortage.share == pytest.approx(0.5)
    assert shortage.share == pytest.approx((40 - 39) / 120)
    shortage.look(counted(2 * 99, replaced=40), 1000.0)
    assert shortage.share == 0


def test_due_once_a_second() -> None:
    shortage = Shortage()
    assert shortage.due(5.0)
    shortage.look(counted(0), 5.0)
    assert not shortage.due(5.9)
    assert shortage.due(6.0)
