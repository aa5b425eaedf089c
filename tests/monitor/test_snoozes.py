from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from monitor import snoozes as snoozes_module
from monitor.errors import StoreError
from monitor.snoozes import Snoozes, marked
from monitor.store import ReviewStore
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio


async def test_snooze_written_beside_the_service_begins_and_ends(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snoozes_module, "_LOOK_EVERY_S", 0.02)
    later = datetime.now(UTC) + timedelta(hours=2)
    async with opened(sqlite_url) as service:
        changes: asyncio.Queue[str] = asyncio.Queue()
        snoozes = Snoozes(service, changes.put_nowait)
        running = asyncio.create_task(snoozes.run())
        person = await ReviewStore.open(sqlite_url)
        assert snoozes.until("lobby") is None
        async with asyncio.timeout(30):
            await person.snooze("lobby", later)
            assert await changes.get() == "lobby"
            assert (snoozes.until("lobby"), snoozes.until("gate")) == (later, None)
            await person.snooze("lobby", datetime.now(UTC))
            assert await changes.get() == "lobby"
            assert snoozes.until("lobby") is None
            # One that nobody ends, ends.
            await person.snooze("lobby", datetime.now(UTC) + timedelta(seconds=2))
            assert [await changes.get(), await changes.get()] == ["lobby", "lobby"]
            assert snoozes.until("lobby") is None
        assert changes.empty()
        await person.aclose()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_snooze_holds_over_a_restart(sqlite_url: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    async with opened(sqlite_url):
        person = await ReviewStore.open(sqlite_url)
        await person.snooze("lobby", later)
        await person.aclose()
    async with opened(sqlite_url) as service:
        snoozes = Snoozes(service, lambda _: None)
        await snoozes.read()
        assert snoozes.until("lobby") == later


async def test_snooze_holds_while_the_store_fails(caplog: pytest.LogCaptureFixture) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)

    class FailingStore:
        """A server that goes away: the one fault that is not to be had at will."""

        answers = True

        async def snoozes(self) -> Mapping[str, datetime]:
            if not self.answers:
                raise StoreError("connection refused")
            return {"lobby": later}

    store = FailingStore()
    snoozes = Snoozes(store, lambda _: None)
    await snoozes.read()
    store.answers = False
    await snoozes.read()
    await snoozes.read()
    assert snoozes.until("lobby") == later
    assert caplog.text.count("connection refused") == 1


async def test_alert_of_a_snoozed_stream_says_so_and_keeps_it_in_the_store(sqlite_url: str) -> None:
    until = datetime(2026, 1, 31, 14, 5, tzinfo=UTC)
    alert = an_alert(1)
    assert marked(alert, None) == alert
    quiet = marked(alert, until)
    assert quiet.notices == (*alert.notices, "snoozed until 2026-01-31 14:05 UTC")
    async with opened(sqlite_url) as service:
        await service.record(quiet, ["mqtt"])
        assert [found.snoozed_until for found in await service.alerts(1)] == [until]
