"""Recordings are read as they play."""

from __future__ import annotations

from monitor.clock import Clock
from monitor.ingest.timeline import Timeline
from monitor.ingest.turn import Turn

_LATE_S = 1.0
"""A recording that is later than this is played on from here rather than faster."""


class Pacer:
    """Holds packets that were read too early back until they are due, as if they came from a camera."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timeline: Timeline | None = None
        self._origin_s: float | None = None

    def begin(self, frame_s: float) -> None:
        """A recording is opened; one after another plays on where that ended."""
        self._timeline = self._timeline or Timeline(frame_s)

    def wait(self, turn: Turn, plays_s: float | None) -> None:
        """Waits until the packet is due. Raises TurnOver where the turn ends first."""
        assert self._timeline is not None
        if self._origin_s is None:
            self._origin_s = self._clock.now_s()
        due_s = self._origin_s + self._timeline.place(plays_s)
        early_s = due_s - self._clock.now_s()
        if early_s < -_LATE_S:
            self._origin_s -= early_s
        elif early_s > 0:
            turn.expect(due_s)
            turn.wait(early_s)
