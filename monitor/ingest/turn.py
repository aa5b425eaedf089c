"""A reading thread's time in charge, and what a watcher needs to know of it."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager

from monitor.clock import Clock

_NAP_S = 0.05
"""So long nobody has to wait for the end of a turn, and to sleep takes half of what it takes to wait for an event."""


class TurnOver(Exception):  # noqa: N818 - not an error: the way out of a thread that is no longer in charge
    """The thread has been told to stop, or was replaced while it was stuck."""


class Turn:
    """One reading thread's time in charge, and what a watcher needs to know of it.

    A thread that was left behind inside FFmpeg learns here, when it comes back at last, that its turn is over.
    """

    def __init__(self, clock: Clock) -> None:
        self.over = threading.Event()
        self.died_of = "an unknown cause"
        self._clock = clock
        self._inside = _InsideFfmpeg(clock)
        self._due_s = clock.now_s()

    def inside_ffmpeg(self) -> AbstractContextManager[None]:
        """Marks a call that may not return. To be followed by `check`, once what it returned is in safe hands."""
        return self._inside

    def check(self) -> None:
        """Raises TurnOver where the turn is over."""
        if self.over.is_set():
            raise TurnOver

    def wait(self, seconds: float) -> None:
        """Waits, unless the turn ends first: then raises TurnOver."""
        if seconds > _NAP_S:
            self.over.wait(seconds)
        else:
            time.sleep(max(0.0, seconds))
        self.check()

    def expect(self, due_s: float) -> None:
        """A frame has come, or is due, at that time."""
        self._due_s = due_s

    def silent_s(self) -> float:
        """Seconds for which a frame has been overdue."""
        return self._clock.now_s() - self._due_s

    def end_if_stuck(self, limit_s: float) -> bool:
        """Ends the turn if the thread has been inside FFmpeg for that long; tells whether it has."""
        with self._inside.lock:
            entered_s = self._inside.since_s
            stuck = entered_s is not None and self._clock.now_s() - entered_s > limit_s
            if stuck:
                self.over.set()
        return stuck


class _InsideFfmpeg:
    """Since when a thread has been in a call that may not return. Used for each packet, so it is made once."""

    def __init__(self, clock: Clock) -> None:
        self.lock = threading.Lock()
        self.since_s: float | None = None
        self._clock = clock

    def __enter__(self) -> None:
        with self.lock:
            self.since_s = self._clock.now_s()

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.since_s = None
