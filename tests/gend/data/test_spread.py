from __future__ import annotations

import pytest

from gend.data.spread import FrameChoice, Mode, spread_order
from gend.errors import ConfigError

# Of GenD's own preparation of data, as it visits a video of so many frames.
OF_10 = [5, 0, 9, 2, 7, 1, 3, 4, 6, 8]
OF_33 = [16, 0, 32, 8, 24, 4, 12, 20, 28, 2, 6, 10, 14, 18, 22, 26, 30, *range(1, 33, 2)]
OF_100 = [50, 0, 99, 25, 74, 12, 37, 62, 86, 6, 18, 31, 43, 56, 68, 80, 92, 3, 9, 15, 21, 28, 34, 40, 46, 53, 59, 65]
OF_100 += [71, 77, 83, 89, 95, 23, 48, 97, 1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 24, 26, 27, 29, 30]
OF_100 += [32, 33, 35, 36, 38, 39, 41, 42, 44, 45, 47, 49, 51, 52, 54, 55, 57, 58, 60, 61, 63, 64, 66, 67, 69, 70, 72]
OF_100 += [73, 75, 76, 78, 79, 81, 82, 84, 85, 87, 88, 90, 91, 93, 94, 96, 98]


@pytest.mark.parametrize("expected", [OF_10, OF_33, OF_100])
def test_spread_order_is_that_of_the_authors(expected: list[int]) -> None:
    assert list(spread_order(len(expected))) == expected


@pytest.mark.parametrize(("count", "first"), [(1, 0), (2, 0), (2, 1), (17, 3), (40, 39), (41, 0)])
def test_each_is_the_farthest_from_all_before_it(count: int, first: int) -> None:
    expected = [first]
    while len(expected) < count:
        left = [number for number in range(count) if number not in expected]
        expected.append(max(left, key=lambda number: (min(abs(number - taken) for taken in expected), -number)))
    assert list(spread_order(count, first)) == expected


def test_spread_order_of_nothing() -> None:
    assert list(spread_order(0)) == []


@pytest.mark.parametrize(
    ("choice", "expected", "enough"),
    [
        (FrameChoice(frames=4), [0, 3, 6, 9], None),
        (FrameChoice(), list(range(10)), None),
        (FrameChoice("fixed_stride", stride=4), [0, 4, 8], None),
        (FrameChoice("at_least", frames=3), OF_10, 3),
    ],
)
def test_modes(choice: FrameChoice, expected: list[int], enough: int | None) -> None:
    assert choice.order(10) == expected
    assert choice.enough == enough


@pytest.mark.parametrize("mode", ["fixed_num_frames", "fixed_stride", "at_least"])
def test_none_are_too_few(mode: Mode) -> None:
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        FrameChoice(mode, frames=0)
