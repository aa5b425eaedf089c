"""Has a page look again when an alert of its streams is recorded; for as long as the page is open, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from nicegui import background_tasks, ui

from monitor.access import Principal
from monitor.actions import Actions
from monitor.errors import MonitorError
from monitor.web.dashboard.visitor import Visitor

_EVERY_S = 1.0


class AlertNews:
    """Listens for one page. Made while the page is built.

    Args:
        visitor: who looks; asked anew for each look.
        actions: what tells.
        streams: whose alerts; none: of all that they may see.
        look: looks again; called once more when the page has arrived, as things may have happened on its way.
        failed: told why nothing more will come.
    """

    def __init__(
        self,
        visitor: Visitor,
        actions: Actions,
        streams: Collection[str],
        look: Callable[[Principal], Awaitable[None]],
        failed: Callable[[str], None],
    ) -> None:
        self._visitor = visitor
        self._actions = actions
        self._streams = streams
        self._look = look
        self._failed = failed
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        client = ui.context.client
        client.on_delete(self.close)
        self._timer = ui.timer(_EVERY_S, self._tick)  # begins when the browser has connected

    def close(self) -> None:
        """Listens no more; may be said twice."""
        self._timer.cancel()
        if self._listening is not None:
            self._listening.cancel()

    def again(self) -> None:
        """Has the page look once more in a moment."""
        self._changed.set()

    async def _tick(self) -> None:
        try:
            if self._listening is None:
                await self._begin()
            if self._changed.is_set():
                self._changed.clear()
                await self._look(await self._visitor.principal())
        except MonitorError as error:
            self.close()
            self._failed(str(error))

    async def _begin(self) -> None:
        principal = await self._visitor.principal()
        following = await self._actions.live.follow(principal, self._streams, ["alert"], None)

        async def listen() -> None:
            try:
                async for _ in following:
                    self._changed.set()
            finally:
                following.close()

        self._listening = background_tasks.create(listen(), name="alert news")
        self._changed.set()
