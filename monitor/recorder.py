"""Takes alerts from decision into the store, and does not give up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.backoff import Backoff
from monitor.errors import StoreError
from monitor.messages import Alert

_log = logging.getLogger("monitor.service")

_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 5.0
_HANGS_S = 5.0


class AlertStore(Protocol):
    """What recording needs of the store."""

    async def record(self, alert: Alert, sinks: Sequence[str]) -> Alert:
        """Keeps the alert for every sink and returns it with its sequence number."""


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """A snapshot of the recorder."""

    waiting: int
    recorded: int
    failures: int


class Recorder:
    """Records alerts in order. While the store fails they wait here, none is dropped, and `failure` says why.

    Args:
        store: where alerts are kept.
        sinks: who shall receive an alert.
        on_recorded: told of each alert once it is safe.
    """

    def __init__(
        self, store: AlertStore, sinks: Callable[[Alert], Sequence[str]], on_recorded: Callable[[Alert], None]
    ) -> None:
        self._store = store
        self._sinks = sinks
        self._on_recorded = on_recorded
        self._waiting: deque[Alert] = deque()
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._recorded = self._failures = 0
        self._refusal: str | None = None
        self._asked_s: float | None = None

    @property
    def failure(self) -> str | None:
        """Why the store does not take alerts; None while it does."""
        if self._asked_s is not None and asyncio.get_running_loop().time() - self._asked_s > _HANGS_S:
            return "the store does not answer"
        return self._refusal

    def put(self, alert: Alert) -> None:
        """Leaves an alert to be recorded."""
        self._waiting.append(alert)
        self._changed.set()

    def close(self) -> None:
        """Lets `run` return once nothing waits."""
        self._closing.set()
        self._changed.set()

    async def run(self) -> None:
        """Records until closed; an alert that the store refuses is tried again, ever more slowly."""
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while self._waiting or not self._closing.is_set():
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                kept = await self._record(self._waiting[0])
            except StoreError as error:
                self._failures += 1
                if self._refusal is None:
                    _log.error("alerts wait in memory, the store refuses them: %s", error)
                self._refusal = str(error)
                await self._pause(backoff.next_s())
                continue
            if self._refusal is not None:
                _log.info("the store takes alerts again")
                self._refusal = None
                backoff.reset()
            self._waiting.popleft()
            self._recorded += 1
            self._on_recorded(kept)

    async def _record(self, alert: Alert) -> Alert:
        self._asked_s = asyncio.get_running_loop().time()
        try:
            return await self._store.record(alert, self._sinks(alert))
        finally:
            self._asked_s = None

    async def _pause(self, delay_s: float) -> None:
        """Waits before the next try; not long any more once the end is near."""
        if not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), delay_s)
        else:
            await asyncio.sleep(_FIRST_RETRY_S)

    def statistics(self) -> RecorderStatistics:
        """A snapshot of what waits and what was counted."""
        return RecorderStatistics(len(self._waiting), self._recorded, self._failures)
