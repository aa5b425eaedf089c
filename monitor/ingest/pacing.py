"""When the next packet is read: a recording's as they play, and none sooner than needed."""

from __future__ import annotations

import math

from monitor.clock import Clock
from monitor.ingest.depth import Needs
from monitor.ingest.timeline import Timeline
from monitor.ingest.turn import Turn

_LATE_S = 1.0
"""A recording that is later than this is played on from here rather than faster."""
_LEAST = 0.75
"""Share of the time between two looks that passes at the least until the next."""
_LONGEST_S = 0.25
"""What a camera sends in that time has room in the buffers between it and us."""
_WORTH_FRAMES = 2
"""Pictures that must come during a rest, for it to spare a waking."""


class Pacer:
    """Holds packets that were read too early back until they are due, as if they came from a camera."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timeline: Timeline | None = None
        self._origin_s: float | None = None

    def begin(self, frame_s: float) -> None:
        """A recording is opened; one after another plays on where that ended."""
        self._timeline = self._timeline or Timeline(frame_s)

    def wait(self, turn: Turn, plays_s: float | None) -> bool:
        """Waits until the packet is due, and tells whether it had to. Raises TurnOver where the turn ends first."""
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
        return early_s > 0


class Rest:
    """Lets packets gather between two looks, and tells when all that have gathered are read.

    A thread that is woken for each packet finds its caches cold, which costs more than reading it. So it sleeps until
    a picture is looked at again; what has come by then is read at once; and the first packet that has to be waited for
    is the newest there is.

    Args:
        needs: when pictures are looked at; None: all of them are.
        frame_s: how long a picture lasts, seconds.
        clock: tells how late it is.
    """

    def __init__(self, needs: Needs | None, frame_s: float, clock: Clock) -> None:
        self._next_look_s = None if needs is None else needs.next_look_s
        self._period_s = math.inf if needs is None else 1 / needs.analysis_fps
        self._worth_s = _WORTH_FRAMES * frame_s
        self._clock = clock
        self._looked_s = self._over_s = -math.inf
        self._caught_up = True

    @property
    def caught_up(self) -> bool:
        """Whether the packet read last is as new as can be had."""
        return self._caught_up

    def take(self, turn: Turn) -> None:
        """Sleeps as long as no picture is looked at. Raises TurnOver where the turn ends first."""
        if self._next_look_s is None or not self._caught_up:
            return
        begun_s = now_s = self._clock.now_s()
        while True:
            # Who took a picture a moment ago has not said yet when the next one is due.
            until_s = max(self._next_look_s(), self._looked_s + _LEAST * self._period_s)
            left_s = min(until_s, begun_s + _LONGEST_S) - now_s
            if left_s <= (self._worth_s if now_s == begun_s else 0.0):
                break
            turn.wait(left_s)
            now_s = self._clock.now_s()
        if now_s > begun_s:
            self._caught_up, self._over_s = False, now_s

    def read(self, *, waited: bool) -> None:
        """A packet was read; `waited`: it was not there yet."""
        # Whoever reads more slowly than packets come never waits for one.
        self._caught_up |= waited or self._clock.now_s() - self._over_s > self._period_s / 2

    def looked(self) -> None:
        """The picture of the packet read last was to be looked at."""
        self._looked_s = self._clock.now_s()
