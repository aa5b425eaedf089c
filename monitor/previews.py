"""The newest preview of each stream, for whoever looks: each is made and encoded once, however many look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from monitor.errors import MonitorError
from monitor.messages import Preview

_LOOK_S = 5.0
"""How long one look lasts: who goes on looking looks again before it ends."""
_FRESH_S = 2.0
"""What was kept from before nobody looked is no news to who looks again."""
_LOOKING = 64
_SHARE = 16
"""Of one login, so that nobody alone keeps all others from looking."""


class FullError(MonitorError):
    """As many look as may."""


class Looking:
    """Somebody who looks at a stream; made by `Previews.look`. It must be closed."""

    def __init__(self, previews: Previews, stream: str, who: str | None = None) -> None:
        self.who = who
        self._previews = previews
        self._stream = stream
        self._seen_s: float | None = None

    async def next(self, timeout_s: float) -> Preview | None:
        """Waits for a preview that this one has not seen yet.

        Args:
            timeout_s: how long.

        Returns:
            The newest; None where none came in time, or the service stops.
        """
        preview = await self._previews.newer(self._stream, self._seen_s, timeout_s)
        if preview is not None:
            self._seen_s = preview.at_s
        return preview

    @property
    def over(self) -> bool:
        """Whether the service stops."""
        return self._previews.closed

    def close(self) -> None:
        """Looks no more; may be said twice."""
        self._previews.leave(self)


@dataclass(frozen=True, slots=True)
class PreviewStatistics:
    """A snapshot."""

    looking: int
    """Who looks at a stream now, each page counted."""
    refused: int
    """Who wanted to while too many did."""


class Previews:
    """Asks for previews while somebody wants them, and keeps the newest of each stream. Belongs to the event loop.

    Args:
        look: has previews of a stream made for so many seconds.

    Attributes:
        closed: whether the service stops.
    """

    def __init__(self, look: Callable[[str, float], None]) -> None:
        self.closed = False
        self._refused = 0
        self._look = look
        self._loop = asyncio.get_running_loop()
        self._looking: set[Looking] = set()
        self._newest: dict[str, tuple[Preview, float]] = {}
        self._changed: dict[str, asyncio.Event] = {}

    def put(self, preview: Preview) -> None:
        """Takes the next one; may be called by any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._keep, preview)

    def look(self, stream: str, who: str | None = None) -> Looking:
        """Begins to look at a stream.

        Args:
            stream: at which.
            who: name of the login, whose share is counted; None: of nobody.

        Raises:
            FullError: as many look as may, all together or by this login.
        """
        if len(self._looking) >= _LOOKING:
            self._refused += 1
            raise FullError(f"{_LOOKING} look at streams already; try again later")
        if who is not None and sum(each.who == who for each in self._looking) >= _SHARE:
            self._refused += 1
            raise FullError(f"{who} looks at {_SHARE} streams already; close some of the pages")
        looking = Looking(self, stream, who)
        self._looking.add(looking)
        return looking

    def statistics(self) -> PreviewStatistics:
        """A snapshot."""
        return PreviewStatistics(len(self._looking), self._refused)

    def leave(self, looking: Looking) -> None:
        """Looks no more."""
        self._looking.discard(looking)

    async def newer(self, stream: str, than_s: float | None, timeout_s: float) -> Preview | None:
        """Waits for a preview.

        Args:
            stream: of which.
            than_s: `at_s` of the one that is known already; None where none is.
            timeout_s: how long to wait.

        Returns:
            The newest, once there is a newer one; None where none came in time, or the service stops.
        """
        self._look(stream, _LOOK_S + timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                while not self.closed:
                    newest = self._fresh(stream)
                    if newest is not None and (than_s is None or newest.at_s > than_s):
                        return newest
                    await self._changed.setdefault(stream, asyncio.Event()).wait()
        except TimeoutError:
            pass
        return None

    def glance(self, stream: str) -> Preview | None:
        """The newest preview, None where there is none of now. It is not waited for, but asked for."""
        self._look(stream, _LOOK_S)
        return self._fresh(stream)

    def forget(self, stream: str) -> None:
        """The stream is watched no more."""
        self._newest.pop(stream, None)
        if (changed := self._changed.pop(stream, None)) is not None:
            changed.set()

    def close(self) -> None:
        """The service stops: nobody waits any longer."""
        self.closed = True
        for changed in self._changed.values():
            changed.set()

    def _fresh(self, stream: str) -> Preview | None:
        newest, kept_s = self._newest.get(stream, (None, 0.0))
        return newest if self._loop.time() - kept_s <= _FRESH_S else None

    def _keep(self, preview: Preview) -> None:
        self._newest[preview.stream] = preview, self._loop.time()
        changed = self._changed.pop(preview.stream, None)
        if changed is not None:
            changed.set()
