"""What those who deliver alerts need of the outbox, and how they bear with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import ParamSpec, Protocol, TypeVar

from monitor.backoff import Backoff
from monitor.errors import StoreError
from monitor.messages import Alert

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0

P = ParamSpec("P")
T = TypeVar("T")


class Row(Protocol):
    """A message that waits for a sink."""

    @property
    def position(self) -> int:
        """Its place in the order in which messages were recorded."""

    @property
    def alert(self) -> Alert:
        """The message to deliver."""


RowT = TypeVar("RowT", bound=Row)


class Outbox(Protocol[RowT]):
    """What waits, by sink."""

    async def pending(self, sink: str, limit: int, *, without: Collection[str] = ()) -> Sequence[RowT]:
        """Rows not yet delivered, oldest first, but for those of the streams named."""

    async def delivered(self, *rows: RowT) -> None:
        """Ticks off rows of one sink, all of them or none."""

    async def last_delivered(self, sink: str, since: datetime) -> Mapping[str, datetime]:
        """When something was ticked off last, by stream; only since then."""


class Persistent:
    """Repeats a call of the outbox until it comes through: what was delivered must be ticked off, not sent again.

    Args:
        log: where a failure is told, once, and its end.
        name: how logs call whoever delivers.

    Attributes:
        failure: why the outbox cannot be used at the moment; None while it can.
    """

    def __init__(self, log: logging.Logger, name: str) -> None:
        self._log = log
        self._name = name
        self.failure: str | None = None

    async def __call__(self, operation: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the call, however often it has to be made."""
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            try:
                result = await operation(*args, **kwargs)
            except StoreError as error:
                if self.failure is None:
                    self._log.error("%s: the outbox cannot be used: %s; trying again", self._name, error)
                self.failure = str(error)
                await asyncio.sleep(backoff.next_s())
            else:
                if self.failure is not None:
                    self.failure = None
                    self._log.info("%s: the outbox can be used again", self._name)
                return result
