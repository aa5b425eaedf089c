"""The newest preview of each stream, for whoever looks: each is made and encoded once, however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.messages import Preview

_LOOK_S = 5.0
"""How long one look lasts: who goes on looking looks again before it ends."""
_FRESH_S = 2.0
"""What was kept from before nobody looked is no news to who looks again."""


class Previews:
    """Asks for previews while somebody wants them, and keeps the newest of each stream. Belongs to the event loop.

    Args:
        look: has previews of a stream made for so many seconds.
    """

    def __init__(self, look: Callable[[str, float], None]) -> None:
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._newest: dict[str, tuple[Preview, float]] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def put(self, preview: Preview) -> None:
        """Takes the next one; may be called by any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep, preview)

    async def newer(self, stream: str, than_s: float | None, timeout_s: float) -> Preview | None:
        """Waits for a preview.

        Args:
            stream: of which.
            than_s: `at_s` of the one that is known already; None where none is.
            timeout_s: how long to wait.

        Returns:
            The newest, once there is a newer one; None where none came in time.
        """
        self._look(stream, _LOOK_S + timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    newest, kept_s = self._newest.get(stream, (None, 0.0))
                    fresh = self._loop.time() - kept_s <= _FRESH_S
                    if newest is not None and fresh and (than_s is None or newest.at_s > than_s):
                        return newest
                    await self._changed.setdefault(stream, asyncio.Event()).wait()
        except TimeoutError:
            return None

    def forget(self, stream: str) -> None:
        """The stream is watched no more."""
        self._newest.pop(stream, None)
        self._changed.pop(stream, None)

    def _keep(self, preview: Preview) -> None:
        self._newest[preview.stream] = preview, self._loop.time()
        changed = self._changed.pop(preview.stream, None)
        if changed is not None:
            changed.set()
