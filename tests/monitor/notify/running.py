"""Runs notifiers in tests, on a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.notify import Notifier
from monitor.notify_config import TargetConfig
from monitor.store import OutboxRow, Store

SECRET = "correct horse battery"


class SetClock:
    """Stands still until it is moved; at first it says the real time."""

    def __init__(self, now: datetime | None = None) -> None:
        self._start = now or datetime.now(UTC)
        self._s = 0.0

    def now_s(self) -> float:
        return 1000 + self._s

    def wall(self, at_s: float) -> datetime:
        return self._start + timedelta(seconds=at_s - 1000)

    @property
    def now(self) -> datetime:
        return self.wall(self.now_s())

    def advance(self, **duration: float) -> None:
        self._s += timedelta(**duration).total_seconds()


def a_webhook(url: str, **fields: Any) -> TargetConfig:
    return TargetConfig.model_validate({"name": "siem", "webhook": url, "secret": SECRET, **fields})


@asynccontextmanager
async def notifying(
    targets: Sequence[TargetConfig], store: Store, clock: SetClock | None = None
) -> AsyncIterator[Notifier[OutboxRow]]:
    notifier: Notifier[OutboxRow] = Notifier(targets, store, clock=clock)
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        await notifier.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
