"""Every earlier version of the database is brought forward with what is in it, whoever dies or collides on the way."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

import monitor.store
from monitor.errors import StoreError
from monitor.store import AlertReader, Store
from monitor.store.reader import encode
from tests.faults.table import FaultTable
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

MIGRATIONS = Path(monitor.store.__file__).parent / "migrations"
REVISIONS = [script.revision for script in reversed(list(ScriptDirectory(str(MIGRATIONS)).walk_revisions()))]
ALERTS = 5


def make_as_of(connection: Connection, revision: str) -> None:
    """The tables of an earlier version, by the migrations up to it, and in each of them the rows of a former run."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    tables = MetaData()
    tables.reflect(connection)
    written: dict[str, list[dict[str, Any]]] = {
        "runs": [{"started_at": an_alert().at}],
        "sequences": [{"stream": "lobby", "last": ALERTS}],
        "alerts": [
            {
                "id": f"id-{number}", "alert_id": "a", "stream": "lobby", "sequence": number, "type": "updated",
                "body": encode(an_alert(number, alert_id="a", type="updated", sequence=number)),
            }
            for number in range(1, ALERTS + 1)
        ],
    }  # fmt: skip
    for name, rows in written.items():
        connection.execute(insert(tables.tables[name]), rows)
    positions = connection.scalars(select(tables.tables["alerts"].c.position)).all()
    connection.execute(insert(tables.tables["outbox"]), [{"position": at, "sink": "mqtt"} for at in positions])


async def made_as_of(url: str, revision: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(make_as_of, revision)
    await engine.dispose()


def test_every_step_leads_forward_from_one_beginning() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == 1
    assert not any(hasattr(script.module, "downgrade") for script in scripts.walk_revisions())


@pytest.mark.parametrize("revision", REVISIONS)
async def test_database_of_every_version_is_brought_forward_with_what_is_in_it(url: str, revision: str) -> None:
    await made_as_of(url, revision)
    if revision != REVISIONS[-1]:
        with pytest.raises(StoreError, match="made by an older version; start the service once"):
            await AlertReader.open(url)
    async with opened(url) as store:
        assert store.run_id == 2
        assert [alert.id for alert in await store.alerts(10)] == [f"id-{number}" for number in range(1, ALERTS + 1)]
        assert [row.alert.sequence for row in await store.pending("mqtt", 10)] == list(range(1, ALERTS + 1))
        assert [alert.sequence for alert in await store.close_open_episodes(lambda _: ["mqtt"])] == [ALERTS + 1]
        async with store._engine.connect() as connection:
            found = await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    assert found == REVISIONS[-1]


async def test_a_step_added_later_runs_on_a_database_of_today_and_shuts_today_s_service_out(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_as_of(url, REVISIONS[-1])
    later = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, later)
    (later / "versions" / "9999_later.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = '9999', '{REVISIONS[-1]}'\n"
        "def upgrade():\n"
        "    op.add_column('alerts', sa.Column('later', sa.Text, nullable=False, server_default='unknown'))\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr("monitor.store.migrate._FOLDER", later)
        async with opened(url) as store, store._engine.connect() as connection:
            assert (await connection.scalars(text("SELECT later FROM alerts"))).all() == ["unknown"] * ALERTS
    with pytest.raises(StoreError, match=r"made by a newer version of gend-monitor \(schema 9999\)"):
        await Store.open(url)


async def test_newer_database_is_refused_with_one_line_and_left_alone(url: str, faults: FaultTable) -> None:
    async with opened(url) as store, store._engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refusing in (Store, Store, AlertReader):  # twice: the lock is let go
        with pytest.raises(StoreError, match=r"made by a newer version of gend-monitor \(schema 9999\)") as refusal:
            await refusing.open(url)
        assert "\n" not in str(refusal.value)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        assert await connection.scalar(text("SELECT count(*) FROM runs")) == 1
    await engine.dispose()
    faults.add(f"database of a newer version, {url.partition('+')[0]}", "refused: made by a newer version")


async def test_services_that_start_at_once_on_an_empty_database_leave_one_that_runs(
    url: str, faults: FaultTable
) -> None:
    opening = await asyncio.gather(*(Store.open(url) for _ in range(4)), return_exceptions=True)
    (running,) = [store for store in opening if isinstance(store, Store)]
    refusals = [error for error in opening if isinstance(error, BaseException)]
    assert all("in use by another gend-monitor" in str(error) for error in refusals)
    assert (await running.record(an_alert(), ["mqtt"])).sequence == 1
    await running.aclose()
    async with opened(url) as store:
        assert store.run_id == 2
    faults.add(f"four services start at once, {url.partition('+')[0]}", "three refused: in use by another gend-monitor")
