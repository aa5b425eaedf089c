"""How often something took how long: counts in fixed buckets, as Prometheus reads them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

LATENCY_S = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of buckets for what takes from a frame's time to as long as a crop may wait, seconds."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A snapshot of a `Histogram`."""

    bounds: tuple[float, ...]
    """Upper ends of the buckets, which belong to them, ascending."""
    counts: tuple[int, ...]
    """How often a value fell into each bucket; one more than `bounds`, for what is beyond the last."""
    total: float
    """Sum of all values."""

    def cumulative(self) -> list[tuple[str, float]]:
        """How often a value was at most each bound, by the bound as Prometheus writes it; `+Inf` is the last."""
        found, below = list[tuple[str, float]](), 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            found.append((bound, below))
        return found


class Histogram:
    """Counts values. Not thread-safe: whoever owns it guards it.

    Args:
        bounds: upper ends of the buckets, ascending.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, values: Iterable[float]) -> None:
        """Counts each value; what is negative, as a clock that was set back may make it, counts as 0."""
        for value in values:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._total += max(value, 0.0)

    def snapshot(self) -> Distribution:
        """What was counted so far."""
        return Distribution(self._bounds, tuple(self._counts), self._total)
