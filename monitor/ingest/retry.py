"""When a stream that was lost is tried again.

At once the first time, then more and more rarely, down to once in `longest_backoff_s`, or while there is hope, as
when it was well a moment ago, once in `hopeful_backoff_s`. The wait counts from the beginning of a try, so that one
which took its time is not followed by another long wait. Where nobody listens any more, as while a camera reboots, the
stream is tried as soon as somebody does (see `door`). Credentials that were refused are asked about rarely.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.ingest.address import Address, AnsweredError, RefusedError
from monitor.ingest.door import Door
from monitor.ingest.turn import Turn
from monitor.ingest.way import Way

_LOOK_S = 0.5
"""Between two looks for somebody who listens."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a reader waits for what, seconds."""

    open_s: float = 10
    """For an answer while opening; FFmpeg may need it four times, for two steps of two attempts."""
    stuck_s: float = 60
    """For a call into FFmpeg to return, beyond the silence allowed while reading: then its thread is replaced."""
    backoff_s: float = 0.5
    """Between the beginnings of two tries; doubles from try to try."""
    longest_backoff_s: float = 5
    """Where somebody listens at the address."""
    hopeful_backoff_s: float = 1
    hopeful_s: float = 60
    """How long there is hope, after the first try, after it was well and after somebody began to listen again."""
    refusal_backoff_s: float = 5
    """Where the credentials are refused: cameras lock those out who ask too often."""
    longest_refusal_s: float = 60
    longest_absence_s: float = 60
    """For somebody to listen at the address: then it is tried all the same."""
    well_s: float = 2
    """How long a connection with pictures must have lasted for the next failure to count as the first of its kind."""
    untrusted_s: float = 20
    """For a picture that can be trusted, while others come: then the connection is given up for a fresh start."""


class Retry:
    """Waits between the tries of one reading thread.

    Args:
        url: what is tried.
        patience: how long to wait for what.
        clock: tells how long it has been.
        on_absence: called with the reason where nobody listens at the address.
        way: tells where that is now; None: where the URL says.
    """

    def __init__(
        self,
        url: str,
        patience: Patience,
        clock: Clock,
        on_absence: Callable[[Turn, str], None],
        way: Way | None = None,
    ) -> None:
        self._way = way
        self._listener = Address(url).listener()
        self._patience = patience
        self._clock = clock
        self._on_absence = on_absence
        self._jitter = random.Random()  # noqa: S311 - spreads retries, hides nothing
        self._failures = 0
        self._hope_ends_s = 0.0
        self._hope()

    def wait(self, turn: Turn, error: Exception, *, tried_s: float, pictures: int) -> None:
        """Waits until it is time for the next try.

        Args:
            turn: of the thread that waits; raises TurnOver where it ends first.
            error: how the last try has failed.
            tried_s: how long that try, and the connection it made, has lasted.
            pictures: how many it has brought.
        """
        if pictures and tried_s >= self._patience.well_s:
            self._hope()
        if not isinstance(error, AnsweredError) and self._wait_for_listener(turn):
            self._hope()
            return
        turn.wait(max(self._backoff_s(error) - tried_s, self._jittered(self._patience.backoff_s)))
        self._failures += 1

    def _wait_for_listener(self, turn: Turn) -> bool:
        """Waits while nobody listens at the address, but not for ever; tells whether it had to."""
        listener = self._listener
        if listener is not None and self._way is not None:
            with turn.inside_ffmpeg():  # or as far out of reach
                listener = self._way.listener()
            turn.check()
        if listener is None:
            return False
        door, began_s, waited = Door(*listener), self._clock.now_s(), False
        while self._clock.now_s() - began_s < self._patience.longest_absence_s:
            with turn.inside_ffmpeg():  # or as far out of reach
                closed = door.closed()
            turn.check()
            if closed is None:
                break
            waited = True
            self._on_absence(turn, f"cannot open: {closed}")
            turn.wait(self._jittered(_LOOK_S))
        return waited

    def _hope(self) -> None:
        self._failures = 0
        self._hope_ends_s = self._clock.now_s() + self._patience.hopeful_s

    def _backoff_s(self, error: Exception) -> float:
        """Doubles from failure to failure."""
        first_s, longest_s = self._patience.backoff_s, self._patience.longest_backoff_s
        if isinstance(error, RefusedError):
            first_s, longest_s = self._patience.refusal_backoff_s, self._patience.longest_refusal_s
        elif self._clock.now_s() < self._hope_ends_s:
            longest_s = min(longest_s, self._patience.hopeful_backoff_s)
        return self._jittered(min(longest_s, first_s * 2.0 ** min(self._failures, 16)))

    def _jittered(self, longest_s: float) -> float:
        """Keeps the clients of a camera that restarts from coming at once."""
        return self._jitter.uniform(longest_s / 2, longest_s)
