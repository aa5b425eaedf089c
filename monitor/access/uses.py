"""Notes when sessions and tokens were used, and does without where nothing can be written."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from datetime import timedelta

from monitor.errors import StoreError

_log = logging.getLogger("monitor.access")

TOUCH = timedelta(minutes=1)
"""Uses are noted no more often: each is a write to the disk."""


class Uses:
    """Writes that may fail: on a full disk people must still be able to look at what goes on.

    Args:
        what: is used, for the log.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._failing = False

    async def note(self, writing: Awaitable[None]) -> None:
        """Waits for the write; tells of the first of several that fail."""
        try:
            await writing
        except StoreError as error:
            if not self._failing:
                _log.warning("uses of %s cannot be noted, so they may end early: %s", self._what, error)
            self._failing = True
        else:
            self._failing = False
