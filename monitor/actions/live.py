"""What happens now: the verdict on every face, and news as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Protocol

from monitor import payloads
from monitor.access import Principal
from monitor.actions.errors import BusyError
from monitor.actions.known import CallOf, StreamNames, check_known
from monitor.broadcast import Broadcast, FullError, News, NewsType, Subscription
from monitor.live import Held, Live
from monitor.messages import Alert

_AT_ONCE = 100
_REPEATED = 1024
"""Alerts that were told from the store may come once more from the queue, which holds fewer."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A gap in what is told.

    Attributes:
        news: how much is missing; None where nobody knows, because the last id is of no alert that was kept.
    """

    news: int | None


class Kept(Protocol):
    """What is needed of the store."""

    async def newest(self) -> str | None:
        """The id of the message that was recorded last."""

    async def knows(self, message_id: str) -> bool:
        """Whether a message of that id was recorded."""

    async def recorded_after(self, message_id: str, limit: int, streams: frozenset[str] | None = None) -> list[Alert]:
        """The messages that were recorded after one."""


class Following:
    """What one listener gets; made by `LiveActions.follow`. It must be closed, however its iteration ends.

    Attributes:
        last_id: of the alert's message that was told last, or had been recorded before; empty where there is none.
    """

    def __init__(
        self,
        broadcast: Broadcast,
        subscription: Subscription,
        kept: Kept,
        last_id: str,
        *,
        streams: frozenset[str] | None,
        replay: bool,
        gap: bool,
    ) -> None:
        self.last_id = last_id
        self._broadcast = broadcast
        self._subscription = subscription
        self._kept = kept
        self._streams = streams
        self._replay = replay
        self._gap = gap
        self._told: deque[str] = deque(maxlen=_REPEATED)

    def close(self) -> None:
        """Frees the queue."""
        self._broadcast.unsubscribe(self._subscription)

    async def __aiter__(self) -> AsyncIterator[News | Missed]:
        """Alerts that were missed, then all news as it comes, until the service stops."""
        if self._gap:
            yield Missed(None)
        if self._replay:
            async for alert in self._missed():
                self._told.append(alert.id)
                yield News.of(alert, payloads.alert(alert))
        while not self._subscription.closed:
            news, dropped = await self._subscription.take()
            if dropped:
                yield Missed(dropped)
            for each in news:
                if each.id not in self._told:
                    self.last_id = each.id or self.last_id
                    yield each

    async def _missed(self) -> AsyncIterator[Alert]:
        while missed := await self._kept.recorded_after(self.last_id, _AT_ONCE, self._streams):
            for alert in missed:
                self.last_id = alert.id
                yield alert


class LiveActions:
    """Shows what happens now.

    Args:
        names: the streams that are watched.
        live: what is held of faces, and who is told of changes.
        kept: alerts that were recorded.
        call_of: what calls are calls of.
    """

    def __init__(self, names: StreamNames, live: Live, kept: Kept, call_of: CallOf) -> None:
        self._names = names
        self._call_of = call_of
        self._live = live
        self._kept = kept

    def verdicts(self, principal: Principal, stream: str) -> list[Held]:
        """What is held of each face that is followed on a stream now.

        Raises:
            NotFoundError: there is no stream of that name.
        """
        principal.require("viewer", stream, self._call_of(stream))
        check_known(stream, self._names)
        return self._live.verdicts(stream)

    async def follow(
        self, principal: Principal, streams: Collection[str], types: Collection[NewsType], last_id: str | None
    ) -> Following:
        """Begins to listen.

        Args:
            principal: who asks.
            streams: of which, and of the calls of those that take some; none: of all that they may see.
            types: what of them.
            last_id: of the alert's message that they have heard last; those recorded after it are told first.

        Raises:
            NotFoundError: there is no stream of such a name.
            BusyError: as many listen as may.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        for stream in streams:
            principal.require("viewer", stream, self._call_of(stream))
            check_known(stream, self._names)
        seen = frozenset(streams) if streams else principal.streams
        broadcast = self._live.broadcast
        try:
            subscription = broadcast.subscribe(seen, types, principal.counted_as)
        except FullError as error:
            raise BusyError(str(error)) from error
        try:
            known = last_id is not None and await self._kept.knows(last_id)
            last = last_id if known and last_id is not None else await self._kept.newest() or ""
        except BaseException:
            broadcast.unsubscribe(subscription)
            raise
        return Following(
            broadcast,
            subscription,
            self._kept,
            last,
            streams=seen,
            replay=known and "alert" in types,
            gap=last_id is not None and not known,
        )
