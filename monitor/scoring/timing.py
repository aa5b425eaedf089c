"""How long crops wait and are scored, and how much of its time the encoder works."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from monitor.histogram import LATENCY_S, Distribution, Histogram
from monitor.messages import Crop

_WINDOW_S = 60.0
_REMEMBERED = 512


class Timing:
    """Kept by whoever scores, and guarded by them: not thread-safe.

    Attributes:
        busy_s: seconds spent in the encoder, by batches that are over.
    """

    def __init__(self) -> None:
        self.busy_s = 0.0
        self._seconds: deque[tuple[int, float]] = deque()
        """Of late: which second, and how much of the work ended in it."""
        self._latencies_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._waits, self._latencies = Histogram(LATENCY_S), Histogram(LATENCY_S)

    def spent(self, begin_s: float, end_s: float) -> None:
        """The encoder has worked for so long."""
        spent_s, second = max(end_s - begin_s, 0.0), int(end_s)
        self.busy_s += spent_s
        if self._seconds and self._seconds[-1][0] == second:
            spent_s += self._seconds.pop()[1]
        self._seconds.append((second, spent_s))
        while self._seconds[0][0] < second - _WINDOW_S:
            self._seconds.popleft()

    def scored(self, crops: Sequence[Crop], begin_s: float, end_s: float) -> None:
        """It has answered for these, which it took at `begin_s`."""
        self._latencies_s.extend(end_s - crop.at_s for crop in crops)
        self._waits.add(begin_s - crop.at_s for crop in crops)
        self._latencies.add(end_s - crop.at_s for crop in crops)

    def busy(self, since_s: float, begun_s: float | None, now_s: float) -> float:
        """Share of the last minute spent in the encoder, 0 to 1.

        Args:
            since_s: when it could have begun.
            begun_s: when the batch in progress did, if there is one.
            now_s: now.
        """
        since_s = max(since_s, now_s - _WINDOW_S)
        busy_s = sum(spent_s for second, spent_s in self._seconds if second >= int(since_s))
        busy_s += 0.0 if begun_s is None else now_s - max(begun_s, since_s)
        return min(busy_s / (now_s - since_s), 1.0) if now_s > since_s else 0.0

    def latency_s(self, quantile: float) -> float | None:
        """From a frame's arrival to the logits of its crop, over the last few hundred crops; None before the first."""
        return float(np.quantile(np.array(self._latencies_s), quantile)) if self._latencies_s else None

    @property
    def waits(self) -> Distribution:
        """From a frame's arrival until its crop is taken by the encoder, seconds."""
        return self._waits.snapshot()

    @property
    def latencies(self) -> Distribution:
        """From a frame's arrival to the logits of its crop, seconds."""
        return self._latencies.snapshot()
