"""Alerts to record and publish in tests, and a store to record them in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert

from monitor.messages import Alert, ModelIdentity
from monitor.store import Store
from monitor.store.reader import encode
from monitor.store.tables import alerts, sequences

_ALERT = Alert(
    id="id-1",
    alert_id="episode-1",
    type="raised",
    reason="evidence above threshold",
    stream="lobby",
    track="1-7",
    at=datetime(2026, 1, 31, 12, 0, 5, 250_000, tzinfo=UTC),
    captured_at=datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC),
    first_seen=datetime(2026, 1, 31, 11, 59, 0, tzinfo=UTC),
    verdict="fake",
    evidence=17.25,
    threshold=16.0,
    samples=21,
    mean_probability=0.93,
    false_alarms_target_per_stream_day=0.1,
    false_alarms_promised_per_stream_day=None,
    calibrated=False,
    model=ModelIdentity("demo", "0" * 64, None, "torch", "fp32"),
    notices=("demo encoder: not for real use",),
)


def an_alert(number: int = 1, **fields: Any) -> Alert:
    """An alert with the id `id-<number>` of an episode of its own, but for what `fields` say."""
    return replace(_ALERT, **{"id": f"id-{number}", "alert_id": f"episode-{number}", **fields})


@asynccontextmanager
async def opened(url: str, keep_delivered: timedelta = timedelta(days=7)) -> AsyncIterator[Store]:
    store = await Store.open(url, keep_delivered=keep_delivered)
    try:
        yield store
    finally:
        await store.aclose()


async def made(folder: Path) -> str:
    """URL of a database that a service has made and left, in no time: a copy of one that was made before."""
    (folder / "alerts.db").write_bytes(await asyncio.to_thread(_empty))
    return f"sqlite+aiosqlite:///{folder}/alerts.db"


@cache
def _empty() -> bytes:
    async def make(url: str) -> None:
        async with opened(url):
            pass

    with TemporaryDirectory() as folder:
        asyncio.run(make(f"sqlite+aiosqlite:///{folder}/alerts.db"))
        return (Path(folder) / "alerts.db").read_bytes()


async def fill(store: Store, count: int) -> None:
    """Records the alerts from 0 on in one go; `record` flushes the disk for each."""
    rows = [
        {
            "id": each.id,
            "alert_id": each.alert_id,
            "stream": each.stream,
            "sequence": each.sequence,
            "type": each.type,
            "body": encode(each),
            "at": each.at,
        }
        for each in (an_alert(number, sequence=number + 1) for number in range(count))
    ]
    async with store._engine.begin() as connection:
        await connection.execute(insert(alerts), rows)
        await connection.execute(insert(sequences), [{"stream": "lobby", "last": count}])
