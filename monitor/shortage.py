"""How much of what is offered to the encoder it never looks at, of late: too many faces, or too slow a machine."""

from __future__ import annotations

from collections import deque

from monitor.scoring import BatcherStatistics

_WINDOW_S = 60.0
_EVERY_S = 1.0


class Shortage:
    """Looks at the batcher's counts once a second. Belongs to the event loop."""

    def __init__(self) -> None:
        # What had been (offered, lost) when; the first is what had been when the window began.
        self._counts: deque[tuple[float, int, int]] = deque([(float("-inf"), 0, 0)])

    def due(self, now_s: float) -> bool:
        """Whether it is time to look again."""
        return now_s - self._counts[-1][0] >= _EVERY_S

    def look(self, batcher: BatcherStatistics, now_s: float) -> None:
        """Notes what was counted up to now."""
        lost = batcher.replaced + batcher.stale + batcher.refused
        self._counts.append((now_s, batcher.offered, lost))
        while len(self._counts) > 1 and self._counts[1][0] <= now_s - _WINDOW_S:
            self._counts.popleft()

    @property
    def share(self) -> float:
        """Share of the crops offered in the last minute that were replaced, too old or refused, 0 to 1."""
        (_, offered_before, lost_before), (_, offered, lost) = self._counts[0], self._counts[-1]
        return min((lost - lost_before) / (offered - offered_before), 1.0) if offered > offered_before else 0.0
