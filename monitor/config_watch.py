"""Tells when the configuration file may have changed: at SIGHUP, and when the file itself is another."""

from __future__ import annotations

import asyncio
from pathlib import Path

_LOOK_EVERY_S = 1.0

_State = tuple[int, int, int]


class ConfigWatch:
    """Waits for a reason to read the file again. It belongs to the event loop.

    Args:
        path: the file. It may be away for a moment, as where an editor puts another in its place.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked = asyncio.Event()
        self._known = self._state()

    def ask(self) -> None:
        """Has it read again, whether or not it looks like another."""
        self._asked.set()

    async def changed(self) -> None:
        """Waits until it was asked for, or the file is another than at the last time and has stayed so for a look."""
        seen = self._known
        while not self._asked.is_set():
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._asked.wait()
            except TimeoutError:
                before, seen = seen, self._state()
                if seen not in {self._known, None} and seen == before:
                    break
        self._asked.clear()
        self._known = self._state()

    def _state(self) -> _State | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
