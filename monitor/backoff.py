"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from try to try up to a bound.

    Each is drawn from the upper half of its range, so that many who lost the same peer do not all come back at once.

    Args:
        first_s: the longest first wait, seconds.
        longest_s: the longest of all, seconds.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random.Random()  # noqa: S311 - spreads retries, hides nothing
        self._failures = 0

    def next_s(self) -> float:
        """How long to wait now, seconds; longer each time."""
        # Bounded before the power is taken: 2.0 ** 1024 is too much for a float.
        longest_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 64))
        self._failures += 1
        return self._random.uniform(longest_s / 2, longest_s)

    def reset(self) -> None:
        """It worked: the next failure is the first again."""
        self._failures = 0
