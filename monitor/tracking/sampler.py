"""When a face is due: for analysis, and for a crop of it.

Times are held against a grid, so that a rate is kept on average whatever the frame rate: a crop taken late does
not make all later ones late, and a gap is not made up for by a burst.
"""

from __future__ import annotations

import threading

from monitor.messages import Demand

_PATIENT_PERIODS = 2
"""Times that a crop could have waited until the next one is due, for it to wait at all."""
_LEAST_CROPS_PER_S = 0.05
"""No demand can blind a track: evidence may still turn."""


class Pace:
    """A grid of times on which something is due.

    Args:
        tolerance_s: how much too early is early enough.
    """

    def __init__(self, tolerance_s: float) -> None:
        self._tolerance_s = tolerance_s
        self._last_s = float("-inf")

    @property
    def begun(self) -> bool:
        """Whether the grid has begun: `mark` was called."""
        return self._last_s > float("-inf")

    def due(self, at_s: float, every_s: float) -> bool:
        """Whether `every_s` have passed since the grid's last time. Changes nothing."""
        return at_s >= self._last_s + every_s - self._tolerance_s

    def mark(self, at_s: float, every_s: float) -> None:
        """It was done at `at_s`: moves on to the grid's next time, or starts a new grid here if that was missed."""
        planned_s = self._last_s + every_s
        self._last_s = planned_s if at_s - planned_s < every_s else at_s


class Sampler:
    """Says which tracks are due for a crop. `demand` may be called from any thread, the rest from tracking's.

    Args:
        crops_per_s: rate of a track for which nothing else is asked.
        max_crops_per_s: most that a `Demand` can get.
        tolerance_s: how much too early is early enough; half the time between analyses.
    """

    def __init__(self, crops_per_s: float, max_crops_per_s: float, tolerance_s: float) -> None:
        self._crops_per_s = crops_per_s
        self._max_crops_per_s = max_crops_per_s
        self._tolerance_s = tolerance_s
        self._paces: dict[str, Pace] = {}
        self._demands: dict[str, Demand] = {}
        self._lock = threading.Lock()

    def begin(self, track: str) -> None:
        """A new track: due at once."""
        with self._lock:
            self._paces[track] = Pace(self._tolerance_s)

    def end(self, track: str) -> None:
        """Forgets a track; a demand for it that comes later is ignored."""
        with self._lock:
            self._paces.pop(track, None)
            self._demands.pop(track, None)

    def demand(self, demand: Demand) -> None:
        """Takes the latest wish for a track, in place of any before."""
        with self._lock:
            if demand.track in self._paces:
                self._demands[demand.track] = demand

    def due(self, track: str, at_s: float, *, early_s: float = 0.0, patient_s: float = 0.0) -> bool:
        """Whether a crop of the track should be taken at `at_s`; stays so until one is.

        Args:
            track: whose.
            at_s: now.
            early_s: how much earlier than else it may be taken, because the next chance may come late. The rate stays
                the same on average.
            patient_s: how much later it had better be taken, because a better chance comes by then. The first one does
                not wait, and none does where the next is due within twice that time.
        """
        with self._lock:
            every_s = 1 / self._rate(track, at_s)
            pace = self._paces[track]
            patient_s = patient_s if pace.begun and every_s >= _PATIENT_PERIODS * patient_s else 0.0
            return pace.due(at_s + early_s - patient_s, every_s)

    def demanded_per_s(self, at_s: float) -> float:
        """The highest rate that is asked for one track now; 0 where nothing is asked for any."""
        with self._lock:
            asked = [track for track, demand in self._demands.items() if at_s <= demand.expires_s]
            return max((self._rate(track, at_s) for track in asked), default=0.0)

    def took(self, track: str, at_s: float) -> None:
        """A crop of the track that was due has been taken at `at_s`."""
        with self._lock:
            self._paces[track].mark(at_s, 1 / self._rate(track, at_s))

    def _rate(self, track: str, at_s: float) -> float:
        demand = self._demands.get(track)
        if demand is None:
            return self._crops_per_s
        if at_s > demand.expires_s:
            del self._demands[track]
            return self._crops_per_s
        return min(max(demand.crops_per_s, _LEAST_CROPS_PER_S), self._max_crops_per_s)
