"""Hands what happens to whoever listens now: each has a short queue of their own, and nobody waits for anybody.

For pages and programs that follow a running service. What must not be lost goes through the outbox instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Self

from monitor.errors import MonitorError
from monitor.messages import Alert

NewsType = Literal["verdict", "alert", "event", "status"]
NEWS_TYPES: tuple[NewsType, ...] = ("verdict", "alert", "event", "status")

_WAITING = 256
_SUBSCRIBERS = 64
_SHARE = 16
"""Of one login, so that nobody alone keeps all others from listening."""


class FullError(MonitorError):
    """As many listen as may."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened on a stream.

    Attributes:
        type: of what `data` is.
        stream: where.
        data: JSON, as subscribers of MQTT get it.
        id: of an alert's message; None of all else, which is not kept.
        call_of: the configured stream that it is a call of; None where it is none.
    """

    type: NewsType
    stream: str
    data: str
    id: str | None = None
    call_of: str | None = None

    @classmethod
    def of(cls, alert: Alert, data: str) -> Self:
        """That an alert was recorded."""
        return cls("alert", alert.stream, data, alert.id, alert.call_of)


@dataclass(frozen=True, slots=True)
class BroadcastStatistics:
    """A snapshot."""

    subscribers: int
    refused: int
    """Who wanted to listen while too many did."""
    dropped: int
    """News that a listener was too slow for, each counted once per listener."""
    waiting: int = 0
    """News that listeners have not taken yet."""


class Subscription:
    """The queue of one listener; made by `Broadcast.subscribe`."""

    def __init__(
        self, streams: Collection[str] | None, types: Collection[str], waiting: int, who: str | None = None
    ) -> None:
        self.who = who
        self._streams = streams
        self._types = types
        self._news: deque[News] = deque()
        self._most = waiting
        self._changed = asyncio.Event()
        self._dropped = 0
        self.closed = False

    def wants(self, news: News) -> bool:
        """Whether the listener has asked for such."""
        if news.type not in self._types:
            return False
        # Who listens to a stream that takes calls, listens to all of its calls.
        return self._streams is None or news.stream in self._streams or news.call_of in self._streams

    def put(self, news: News) -> bool:
        """Leaves it to be taken; False where the oldest had to go for it."""
        dropped = len(self._news) >= self._most
        if dropped:
            self._news.popleft()
            self._dropped += 1
        self._news.append(news)
        self._changed.set()
        return not dropped

    @property
    def waiting(self) -> int:
        """News that is still to be taken."""
        return len(self._news)

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True
        self._changed.set()

    async def take(self) -> tuple[list[News], int]:
        """Waits for news and takes all of it.

        Returns:
            It, oldest first, and how much was dropped before it. Nothing at all once it is closed.
        """
        if not self.closed:
            await self._changed.wait()
            self._changed.clear()
        taken, self._news = list(self._news), deque()
        dropped, self._dropped = self._dropped, 0
        return taken, dropped


class Broadcast:
    """Those who listen. Belongs to the event loop; none of its methods waits.

    Args:
        most: who may listen at once.
        share: how often one login may.
        waiting: news that wait for one listener at the most; beyond that the oldest is dropped.
    """

    def __init__(self, most: int = _SUBSCRIBERS, waiting: int = _WAITING, share: int = _SHARE) -> None:
        self._most = most
        self._share = share
        self._waiting = waiting
        self._subscriptions: set[Subscription] = set()
        self._refused = self._dropped = 0
        self._closed = False

    def subscribe(
        self,
        streams: Collection[str] | None = None,
        types: Collection[str] = NEWS_TYPES,
        who: str | None = None,
    ) -> Subscription:
        """Begins to listen; end it by `unsubscribe`.

        Args:
            streams: to these; None: to all.
            types: for these.
            who: name of the login, whose share is counted; None: of nobody.

        Raises:
            FullError: as many listen as may, all together or by this login, or the service stops.
        """
        if self._closed or len(self._subscriptions) >= self._most:
            self._refused += 1
            raise FullError("the service stops" if self._closed else f"{self._most} listen already; try again later")
        if who is not None and sum(each.who == who for each in self._subscriptions) >= self._share:
            self._refused += 1
            raise FullError(f"{who} listens {self._share} times already; close some of the pages")
        subscription = Subscription(streams, types, self._waiting, who)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forgets a listener and all that waits for them; does nothing where that was done before."""
        self._subscriptions.discard(subscription)

    @property
    def listened(self) -> bool:
        """Whether anybody listens."""
        return bool(self._subscriptions)

    def tell(self, news: News) -> None:
        """Leaves it with everybody who wants it."""
        for subscription in self._subscriptions:
            if subscription.wants(news) and not subscription.put(news):
                self._dropped += 1

    def close(self) -> None:
        """Ends every subscription, and lets nobody subscribe any more."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def statistics(self) -> BroadcastStatistics:
        """A snapshot."""
        return BroadcastStatistics(
            len(self._subscriptions),
            self._refused,
            self._dropped,
            sum(each.waiting for each in self._subscriptions),
        )
