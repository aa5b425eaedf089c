"""Says once, not two thousand times a second, that the process has no handle left for another connection."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("monitor.service")

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OVER_S = 3.0
"""asyncio tries again after a second, as long as somebody waits: nothing said for so long is success."""


class Accepting:
    """The event loop's view of connections that cannot be accepted, by whatever server of this process.

    asyncio calls its exception handler for every single try, a burst of them each second, and would log each with a
    traceback. All else that the handler is called for is passed on. The log is the only place to say it: whoever would
    ask over HTTP is who cannot connect.
    """

    def __init__(self) -> None:
        self._over: asyncio.TimerHandle | None = None
        self._pass_on: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the place of the loop's exception handler."""
        self._pass_on = loop.get_exception_handler()
        loop.set_exception_handler(self._handle)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "socket" in context and isinstance(error, OSError) and error.errno in _SHORTAGES:
            self._note(loop, error)
        elif self._pass_on is not None:
            self._pass_on(loop, context)
        else:
            loop.default_exception_handler(context)

    def _note(self, loop: asyncio.AbstractEventLoop, error: OSError) -> None:
        if self._over is None:
            _log.warning("connections cannot be accepted: %s", error.strerror)
        else:
            self._over.cancel()
        self._over = loop.call_later(_OVER_S, self._end)

    def _end(self) -> None:
        self._over = None
        _log.info("connections are accepted again")
