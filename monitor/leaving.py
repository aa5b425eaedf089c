"""How a process ends although one of its threads will not: it may be stuck in FFmpeg or in a handshake."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import NoReturn

_log = logging.getLogger("monitor.service")


def leave_now(code: int) -> NoReturn:
    """Ends the process at once; what was printed and logged is shown."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def leave_within(seconds: float) -> None:
    """Ends the process with 0 after that time, if nothing else has; even if the event loop is blocked."""
    timer = threading.Timer(seconds, _give_up, args=(seconds,))
    timer.daemon = True
    timer.start()


def _give_up(seconds: float) -> None:
    _log.warning("not everything has ended %.1f s after the signal; it is left behind", seconds)
    leave_now(0)
