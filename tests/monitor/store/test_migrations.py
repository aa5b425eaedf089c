from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from monitor.errors import StoreError
from monitor.store import AlertReader, Store
from monitor.store.tables import metadata
from tests.monitor.store.examples import opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio


async def test_migrations_make_the_tables(url: str) -> None:
    async with opened(url) as store, store._engine.connect() as connection:
        assert await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []


async def test_failed_migration_leaves_nothing_behind(sqlite_url: str, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "alerts.db")
    other.execute("CREATE TABLE outbox (x)")  # in the way of the last table
    with pytest.raises(StoreError, match="table outbox already exists"):
        await Store.open(sqlite_url)
    assert other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("outbox",)]
    other.execute("DROP TABLE outbox")
    other.close()
    async with opened(sqlite_url) as store:
        assert store.run_id == 1


async def test_reader_makes_and_upgrades_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file; the service makes it when it first starts"):
        await AlertReader.open(sqlite_url)
    assert not list(tmp_path.iterdir())
    sqlite3.connect(tmp_path / "alerts.db").close()
    (tmp_path / "alerts.db").touch()
    with pytest.raises(StoreError, match="made by an older version; start the service once"):
        await AlertReader.open(sqlite_url)
