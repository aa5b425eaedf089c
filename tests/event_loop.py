"""Whether one callback or task step held the event loop, on a machine that may itself stand still for seconds."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

BLOCKED_S = 1.0
"""Long enough for a busy machine's hiccups, short enough to catch what reads a file, a socket or a model."""

_TICK_S = 0.05
_LOOKED_AT_TICKS = round(BLOCKED_S / 2 / _TICK_S)


class _Clock(threading.Thread):
    """A second thread's time: it goes on while the loop's thread waits, and stops when the whole machine does."""

    def __init__(self) -> None:
        super().__init__(name="clock beside the event loop", daemon=True)
        self._watched = threading.get_ident()
        self._done = threading.Event()
        self._step_began_at: int | None = None
        self.ticks = 0
        self.seen = "nobody saw where"

    def stepped(self, at: int | None) -> None:
        """Notes the tick at which a step of the watched thread began, None between steps."""
        if threading.get_ident() == self._watched:
            self._step_began_at = at

    def run(self) -> None:
        while not self._done.wait(_TICK_S):
            self.ticks += 1
            began_at = self._step_began_at
            if began_at is not None and self.ticks - began_at == _LOOKED_AT_TICKS:
                stack = traceback.format_stack(sys._current_frames().get(self._watched))
                self.seen = "seen in " + " ".join(stack[-1].split())

    def end(self) -> None:
        self._done.set()
        self.join()


@contextmanager
def watched() -> Iterator[list[str]]:
    """Gives a list of the steps that held an event loop of this thread for over `BLOCKED_S`, told in words.

    A step's time is what a thread beside it could run meanwhile, or what it used of the processor itself,
    whichever is more: seconds in which no thread of this process ran are the machine's, not the step's.
    """
    blocked: list[str] = []
    run_handle = asyncio.Handle._run
    clock = _Clock()

    def timed(handle: asyncio.Handle) -> None:
        # asyncio's own debug mode measures here too, but only logs, and counts the machine's pauses as well.
        step = repr(handle)
        began_at, began_cpu_s = clock.ticks, time.thread_time()
        clock.stepped(began_at)
        run_handle(handle)
        clock.stepped(None)
        held_s = max((clock.ticks - began_at) * _TICK_S, time.thread_time() - began_cpu_s)
        if held_s > BLOCKED_S:
            blocked.append(f"{held_s:.1f} s in {step}, {clock.seen}")

    clock.start()
    try:
        with patch.object(asyncio.Handle, "_run", timed):
            yield blocked
    finally:
        clock.end()
