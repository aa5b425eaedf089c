"""Has a page look again when an alert of its streams is recorded; for as long as the page is open, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from nicegui import background_tasks, ui

from monitor.access import Principal
from monitor.actions import Actions
from monitor.actions.live import Following
from monitor.errors import MonitorError
from monitor.web.dashboard.frame import every
from monitor.web.dashboard.visitor import Visitor

_EVERY_S = 2.0


class AlertNews:
    """Listens for one page. Made while the page is built.

    Args:
        visitor: who looks; asked anew each time, and whoever may not any more listens no more.
        actions: what tells.
        streams: whose alerts; none: of all that they may see.
        look: looks again; called once more when the page has arrived, as things may have happened on its way.
    """

    def __init__(
        self,
        visitor: Visitor,
        actions: Actions,
        streams: Collection[str],
        look: Callable[[Principal], Awaitable[None]],
    ) -> None:
        self._actions = actions
        self._streams = streams
        self._look = look
        self._changed = asyncio.Event()
        self._following: Following | None = None
        self._listening: asyncio.Task[None] | None = None
        self._closed = False
        ui.context.client.on_delete(self.close)
        self._timer = every(_EVERY_S, visitor, self._tick, self.close)  # begins when the browser has connected

    def close(self) -> None:
        """Listens no more; may be said twice."""
        self._closed = True
        self._timer.cancel()
        self._leave()

    def again(self) -> None:
        """Has the page look once more in a moment."""
        self._changed.set()

    def _leave(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        # Not left to the task: one that is cancelled before its first step never comes to its end.
        if self._following is not None:
            self._following.close()
            self._following = None

    async def _tick(self, principal: Principal) -> None:
        if self._listening is None or self._listening.done():
            await self._begin(principal)
        if self._changed.is_set() and not self._closed:
            self._changed.clear()
            try:
                await self._look(principal)
            except MonitorError:
                self._changed.set()
                raise

    async def _begin(self, principal: Principal) -> None:
        self._leave()
        following = await self._actions.live.follow(principal, self._streams, ["alert"], None)
        if self._closed:  # meanwhile
            following.close()
            return

        async def listen() -> None:
            async for _ in following:
                self._changed.set()

        self._following = following
        self._listening = background_tasks.create(listen(), name="alert news")
        self._changed.set()
