"""One process after another: what ended uncalled for is replaced, sooner or later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from monitor.backoff import Backoff
from monitor.redact import one_line

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_WELL_S = 60.0
"""A process that lived for so long was well: its end counts as the first of its kind."""


def usual_backoff() -> Backoff:
    """Before a process that has ended uncalled for is replaced."""
    return Backoff(0.25, 30.0)


def supervise(
    live: Callable[[], str],
    ended: Callable[[str, bool], bool],
    stopping: threading.Event,
    backoff: Backoff,
    log: Log,
) -> None:
    """Has one process live after another, until told that none is wanted; between two of them waits longer each time.

    Args:
        live: starts a process and stays with it to its end; returns why that came. What it raises is a fault of ours,
            which must not end the stream or the encoder.
        ended: told why, and whether the process had been well before; returns whether another is wanted.
        stopping: cuts the wait short, and no other process is started.
        backoff: how long to wait before the next one.
        log: of whose processes they are.
    """
    while not stopping.is_set():
        began_s = time.monotonic()
        try:
            reason = live()
        except Exception as error:
            reason = f"internal error: {one_line(error)}"
            log.debug("a process cannot be supervised", exc_info=True)
        well = time.monotonic() - began_s >= _WELL_S
        if not ended(reason, well):
            return
        if well:
            backoff.reset()
        stopping.wait(backoff.next_s())
