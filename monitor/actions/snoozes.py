"""Streams whose alerts shall call nobody for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from monitor.access import Principal
from monitor.actions.errors import RefusedError
from monitor.actions.known import StreamNames, check_known
from monitor.moments import MOST_SNOOZE_DAYS


class SnoozeBook(Protocol):
    """What is needed of the store."""

    async def snooze(self, stream: str, until: datetime, *, by: str | None = None) -> None:
        """Adds a word on how long a stream's alerts shall call nobody."""


class SnoozeActions:
    """Begins and ends snoozes. They hold when an action returns.

    Args:
        names: the configured streams.
        book: opens the store, for one word.
        heed: has the service look at what was written.
    """

    def __init__(
        self,
        names: StreamNames,
        book: Callable[[], AbstractAsyncContextManager[SnoozeBook]],
        heed: Callable[[], Awaitable[None]],
    ) -> None:
        self._names = names
        self._book = book
        self._heed = heed

    async def begin(self, principal: Principal, stream: str, until: datetime) -> datetime:
        """Snoozes a stream; replaces a snooze that holds.

        Args:
            principal: who asks.
            stream: which.
            until: with its zone.

        Returns:
            Until when it holds, UTC.

        Raises:
            NotFoundError: there is none of that name.
            RefusedError: that is over, or too far away.
            StoreError: nothing could be written.
        """
        principal.require("operator", stream)
        check_known(stream, self._names)
        now = datetime.now(UTC)
        if until <= now:
            raise RefusedError("until", "that is over")
        if until - now > timedelta(days=MOST_SNOOZE_DAYS):
            raise RefusedError("until", f"at most {MOST_SNOOZE_DAYS} days, so that no stream is forgotten")
        await self._write(principal, stream, until)
        return until.astimezone(UTC)

    async def end(self, principal: Principal, stream: str) -> None:
        """Ends a stream's snooze; does nothing where there is none.

        Raises:
            NotFoundError: there is none of that name.
            StoreError: nothing could be written.
        """
        principal.require("operator", stream)
        check_known(stream, self._names)
        await self._write(principal, stream, datetime.now(UTC))

    async def _write(self, principal: Principal, stream: str, until: datetime) -> None:
        async with self._book() as book:
            await book.snooze(stream, until, by=principal.name)
        await self._heed()
