"""Brings a database to the schema of this version: forward only, by alembic, without any file but the package's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from monitor.errors import StoreError
from monitor.store.database import Database

_FOLDER = Path(__file__).parent / "migrations"


async def migrate(database: Database) -> None:
    """Makes or upgrades the tables. Needs the lock of `take_lock`.

    Raises:
        StoreError: the database was made by a newer version, or cannot be opened or written.
    """
    # In a thread with an event loop of its own: alembic works in one go, and this loop has streams to serve.
    await asyncio.to_thread(asyncio.run, _migrate(database))


async def check_schema(database: Database) -> None:
    """Changes nothing, for readers.

    Raises:
        StoreError: the database has another schema than this version's, or cannot be opened.
    """
    await asyncio.to_thread(asyncio.run, _check_schema(database))


async def _migrate(database: Database) -> None:
    engine = database.engine(writes=True)
    with database.errors():
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, database.name)
        finally:
            await engine.dispose()


async def _check_schema(database: Database) -> None:
    engine = database.engine(writes=False)
    with database.errors():
        try:
            async with engine.connect() as connection:
                found = await connection.run_sync(_found, database.name)
        finally:
            await engine.dispose()
    if found != _scripts().get_current_head():
        raise StoreError(f"{database.name}: made by an older version; start the service once to bring it up to date")


def _upgrade(connection: Connection, name: str) -> None:
    if _found(connection, name) == _scripts().get_current_head():
        return
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _found(connection: Connection, name: str) -> str | None:
    """The revision of the database, one that this version knows."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(f"{name}: made by a newer version of gend-monitor (schema {found}); upgrade this one")
    return found


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))
