"""Databases that die, freeze, are locked or removed: alerts wait, that is said, and none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.errors import StoreError
from monitor.recorder import Recorder
from monitor.store import AlertReader, Store, database
from tests.faults.table import FaultTable
from tests.monitor.publish.running import until
from tests.monitor.store.examples import an_alert, opened

if TYPE_CHECKING:
    from tests.databases import Postgres

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

SINKS = ["mqtt"]
ALERTS = 50


@asynccontextmanager
async def recording(store: Store) -> AsyncIterator[Recorder]:
    recorder = Recorder(store, lambda _: SINKS, lambda _: None)
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
        recorder.close()
        await asyncio.wait_for(task, 60)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def decide(recorder: Recorder, first: int, count: int = ALERTS) -> None:
    for number in range(first, first + count):
        recorder.put(an_alert(number))


async def recorded(recorder: Recorder, count: int) -> None:
    await until(lambda: recorder.statistics().recorded == count, 60)
    assert recorder.failure is None


async def check(store: Store, count: int) -> None:
    assert [(row.alert.id, row.alert.sequence) for row in await store.pending("mqtt", 10**6)] == [
        (f"id-{number}", number + 1) for number in range(count)
    ]


async def copied(url: str, count: int) -> None:
    """Waits until a standby has so many alerts."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(StoreError):
                reader = await AlertReader.open(url)
                try:
                    if len(await reader.alerts(count)) == count:
                        return
                finally:
                    await reader.aclose()
            await asyncio.sleep(0.1)


async def test_server_killed_while_alerts_are_recorded(
    postgres: Postgres, postgres_url: str, faults: FaultTable
) -> None:
    async with opened(postgres_url) as store, recording(store) as recorder:
        decide(recorder, 0)
        await until(lambda: recorder.statistics().recorded > 5)
        decide(recorder, ALERTS)
        await asyncio.to_thread(postgres.kill)
        await until(lambda: recorder.failure)
        seen = recorder.failure or ""
        assert seen.startswith("postgresql+asyncpg://***@127.0.0.1:")
        await asyncio.to_thread(postgres.start_again)
        with faults.recovery("PostgreSQL killed", seen.partition(": ")[2]):
            await recorded(recorder, 2 * ALERTS)
        await check(store, 2 * ALERTS)
        with pytest.raises(StoreError, match="in use by another gend-monitor"):
            await Store.open(postgres_url)


async def test_service_that_lost_its_lock_to_another_does_not_write(
    postgres: Postgres, postgres_url: str, faults: FaultTable
) -> None:
    async with opened(postgres_url) as store, recording(store) as recorder:
        decide(recorder, 0, 1)
        await recorded(recorder, 1)
        await asyncio.to_thread(postgres.restart)
        async with opened(postgres_url) as other:
            decide(recorder, 1, 1)
            await until(lambda: "in use by another gend-monitor" in (recorder.failure or ""))
            assert len(await other.alerts(10)) == 1
        with faults.recovery("another service took the database meanwhile", "in use by another gend-monitor"):
            await recorded(recorder, 2)
        await check(store, 2)


async def test_server_that_became_a_standby_is_left_for_the_new_primary(
    primary_and_standby: tuple[Postgres, Postgres], faults: FaultTable
) -> None:
    primary, standby = primary_and_standby
    url = await asyncio.to_thread(primary.database)
    of_standby = url.replace(str(primary.port), str(standby.port))
    both = f"{url}?host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}".replace(
        f"127.0.0.1:{primary.port}/", "/"
    )
    async with opened(both) as store, recording(store) as recorder:
        decide(recorder, 0)
        await recorded(recorder, ALERTS)
        await copied(of_standby, ALERTS)
        await asyncio.to_thread(primary.demote)
        decide(recorder, ALERTS)
        seen = "no server takes writes"
        await until(lambda: seen in (recorder.failure or ""))
        await asyncio.to_thread(standby.promote)
        with faults.recovery("PostgreSQL failed over to a standby", seen):
            await recorded(recorder, 2 * ALERTS)
        await check(store, 2 * ALERTS)
    async with opened(of_standby) as store:
        await check(store, 2 * ALERTS)


async def test_frozen_server_is_named_and_waited_for(
    postgres: Postgres, postgres_url: str, faults: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.recorder._HANGS_S", 0.5)
    monkeypatch.setitem(database._SERVER, "timeout", 3)
    monkeypatch.setitem(database._SERVER, "command_timeout", 2)
    async with opened(postgres_url) as store, recording(store) as recorder:
        decide(recorder, 0)
        await recorded(recorder, ALERTS)
        postgres.pause()
        try:
            decide(recorder, ALERTS)
            await until(lambda: recorder.failure == "the store does not answer")
            await until(lambda: (recorder.failure or "").endswith(": no answer"))
        finally:
            postgres.resume()
        with faults.recovery("PostgreSQL frozen", "the store does not answer"):
            await recorded(recorder, 2 * ALERTS)
        await check(store, 2 * ALERTS)


async def test_sqlite_locked_by_another_process_for_long(
    sqlite_url: str, tmp_path: Path, faults: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.database._BUSY_TIMEOUT_MS", 100)
    async with opened(sqlite_url) as store, recording(store) as recorder:
        with sqlite3.connect(tmp_path / "alerts.db", isolation_level=None) as other:
            other.execute("BEGIN EXCLUSIVE")
            decide(recorder, 0)
            await until(lambda: recorder.failure == f"{tmp_path}/alerts.db: database is locked")
            await until(lambda: recorder.statistics().failures > 2)
            other.execute("ROLLBACK")
        other.close()
        with faults.recovery("SQLite locked by another process", "database is locked"):
            await recorded(recorder, ALERTS)
        await check(store, ALERTS)


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_sqlite_removed_while_in_use_is_written_anew(
    tmp_path: Path, faults: FaultTable, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{folder}/alerts.db"
    async with opened(url) as store, recording(store) as recorder:
        decide(recorder, 0)
        await recorded(recorder, ALERTS)
        if what == "file":
            (folder / "alerts.db").unlink()
        else:
            shutil.rmtree(folder)
        decide(recorder, ALERTS)
        seen = "was removed while in use; written anew"
        if what == "folder":
            await until(lambda: recorder.failure)
            seen = "No such file or directory"
            assert seen in (recorder.failure or "")
            folder.mkdir()
        with faults.recovery(f"{what} of SQLite removed", seen):
            await recorded(recorder, 2 * ALERTS)
    assert sum("written anew, nothing is lost" in record.message for record in caplog.records) == 1
    async with opened(url) as store:
        await check(store, 2 * ALERTS)


async def test_sqlite_removed_while_idle_is_written_anew(
    sqlite_url: str, tmp_path: Path, faults: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.outbox._LOOK_S", 0.05)
    file = tmp_path / "alerts.db"
    async with opened(sqlite_url) as store:
        await store.record(an_alert(0), SINKS)
        file.unlink()
        with faults.recovery("file of SQLite removed while idle", "was removed while in use; written anew"):
            await until(file.exists)
        reader = await AlertReader.open(sqlite_url)
        assert len(await reader.alerts(10)) == 1
        await reader.aclose()


@pytest.mark.parametrize("what", ["file", "folder"])
async def test_sqlite_removed_just_before_the_end_is_written_anew_or_that_is_said(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "database"
    folder.mkdir()
    url = f"sqlite+aiosqlite:///{folder}/alerts.db"
    store = await Store.open(url)
    await store.record(an_alert(0), SINKS)
    if what == "file":
        (folder / "alerts.db").unlink()
        await store.aclose()
        async with opened(url) as store:
            await check(store, 1)
    else:
        shutil.rmtree(folder)
        with pytest.raises(StoreError, match="No such file or directory"):
            await store.aclose()


async def test_sqlite_replaced_while_in_use_is_kept_beside_the_other_file(
    sqlite_url: str, tmp_path: Path, faults: FaultTable
) -> None:
    file = tmp_path / "alerts.db"
    store = await Store.open(sqlite_url)
    await store.record(an_alert(0), SINKS)
    (tmp_path / "another.db").write_bytes(b"another")
    (tmp_path / "another.db").replace(file)
    seen = "another file was put in its place"
    for refused in (store.record(an_alert(1), SINKS), store.record(an_alert(1), SINKS), store.aclose()):
        with pytest.raises(StoreError, match=f"{file}: {seen}; what the service had is in ") as failure:
            await refused
    assert "\n" not in str(failure.value)
    assert file.read_bytes() == b"another"
    (kept,) = tmp_path.glob("alerts.db.orphaned-*")
    assert f"in {kept.name}: stop the service, move that to alerts.db" in str(failure.value)
    kept.replace(file)
    async with opened(sqlite_url) as store:
        await check(store, 1)
    faults.add("file of SQLite replaced", f"{seen}; what the service had is kept beside it")


async def test_sqlite_that_is_put_back_is_used_again(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url) as store:
        await store.record(an_alert(0), SINKS)
        (tmp_path / "alerts.db").rename(tmp_path / "aside.db")
        (tmp_path / "alerts.db").write_bytes(b"another")
        with pytest.raises(StoreError, match="another file was put in its place"):
            await store.record(an_alert(1), SINKS)
        (tmp_path / "aside.db").replace(tmp_path / "alerts.db")
        assert (await store.record(an_alert(1), SINKS)).sequence == 2
        await check(store, 2)
