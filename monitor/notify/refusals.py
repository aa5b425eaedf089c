"""Alerts that a target has refused: tried again, each alone and after those it has not seen yet, and not for ever."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from monitor.backoff import Backoff
from monitor.delivery import RowT

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0


@dataclass(slots=True)
class _Refusal:
    first_s: float
    last_s: float


class Refusals:
    """Which rows were refused since the service started, and when. All times are of one monotonic clock, in seconds.

    Args:
        give_up_s: seconds after its first refusal from which on a row that is refused again is given up.
    """

    def __init__(self, give_up_s: float) -> None:
        self._give_up_s = give_up_s
        self._refusals: dict[int, _Refusal] = {}
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._again_s = 0.0

    def __len__(self) -> int:
        return len(self._refusals)

    def __contains__(self, position: object) -> bool:
        return position in self._refusals

    def next(self, rows: Sequence[RowT], now_s: float) -> tuple[RowT | None, float | None]:
        """Which of these to try again.

        Returns:
            The refused row that was not tried for longest, if it is time; and in how many seconds it will be, if not.
        """
        refused = [row for row in rows if row.position in self._refusals]
        if not refused:
            return None, None
        if now_s < self._again_s:
            return None, self._again_s - now_s
        return min(refused, key=lambda row: self._refusals[row.position].last_s), None

    def refused(self, rows: Collection[RowT], now_s: float) -> bool:
        """These were refused together, now; returns whether they are to be given up."""
        for row in rows:
            self._refusals.setdefault(row.position, _Refusal(now_s, now_s)).last_s = now_s
        self._again_s = now_s + self._backoff.next_s()
        return all(now_s - self._refusals[row.position].first_s >= self._give_up_s for row in rows)

    def forget(self, rows: Collection[RowT]) -> None:
        """These wait no more."""
        for row in rows:
            if self._refusals.pop(row.position, None) is not None:
                self._backoff.reset()
                self._again_s = 0.0
