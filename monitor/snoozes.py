"""Which streams are snoozed now: their alerts are recorded and published as always, but call nobody.

A command line or a page writes snoozes into the store, beside the service; the service looks there every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from monitor.errors import StoreError
from monitor.logs import of_stream
from monitor.messages import Alert

_log = logging.getLogger("monitor.service")

_LOOK_EVERY_S = 2.0


class SnoozeStore(Protocol):
    """What is needed of the store."""

    async def snoozes(self) -> Mapping[str, datetime]:
        """Until when each stream is or was snoozed."""


class Snoozes:
    """Follows the snoozes in the store. While it cannot be read, what was read last holds, each until it ends.

    Args:
        store: where they are.
        on_change: told of each stream whose snooze begins, ends, or ends at another time than was known.
    """

    def __init__(self, store: SnoozeStore, on_change: Callable[[str], None]) -> None:
        self._store = store
        self._on_change = on_change
        self._until: Mapping[str, datetime] = {}
        self._told: dict[str, datetime] = {}
        self._failing = False
        self._reading = asyncio.Lock()

    def until(self, stream: str) -> datetime | None:
        """When the stream's snooze ends; None where it is not snoozed now."""
        until = self._until.get(stream)
        return until if until is not None and until > datetime.now(UTC) else None

    async def read(self) -> None:
        """Looks into the store once, and tells what has changed, also by the passing of time.

        What was written before the call is seen by it.
        """
        async with self._reading:  # else one that looked earlier could have the last word
            await self._read()

    async def run(self) -> None:
        """Looks every two seconds, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.read()

    async def _read(self) -> None:
        try:
            self._until = await self._store.snoozes()
        except StoreError as error:
            if not self._failing:
                _log.error("snoozes cannot be read; those known hold until they end: %s", error)
            self._failing = True
        else:
            self._failing = False
        now = {stream: until for stream in self._until if (until := self.until(stream)) is not None}
        changed = [stream for stream in {**self._told, **now} if self._told.get(stream) != now.get(stream)]
        self._told = now
        for stream in changed:
            until = now.get(stream)
            of_stream(_log, stream).info("%s", "no longer snoozed" if until is None else _words(until))
            self._on_change(stream)


def marked(alert: Alert, until: datetime | None) -> Alert:
    """The alert as it is told of a stream that is snoozed until then; unchanged where it is not."""
    if until is None:
        return alert
    return replace(alert, snoozed_until=until, notices=(*alert.notices, _words(until)))


def _words(until: datetime) -> str:
    return f"snoozed until {until:%Y-%m-%d %H:%M} UTC"
