"""Streams that were added while the service ran: opened beside it for each word, as reviews are."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, insert, inspect, select, update

from monitor.access import AuditEntry
from monitor.store.audited import AuditedStore
from monitor.store.database import Database, uninterrupted
from monitor.store.reader import aware
from monitor.store.tables import added_streams

_log = logging.getLogger("monitor.store")

_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class AddedRow:
    """A stream as it is kept.

    Attributes:
        name: unique.
        settings: what was sent, by the fields of the file but `name`; with its secrets.
        by: who sent it last.
        at: when, UTC.
    """

    name: str
    settings: dict[str, Any]
    by: str
    at: datetime


class AddedStreamStore(AuditedStore):
    """Added streams, each change with its line in the audit log. Open it by `opened_added`.

    Every method raises StoreError where the database cannot be read or written.
    """

    async def added(self) -> list[AddedRow]:
        """All of them, by name."""
        return [_row_of(row) for row in await self._rows(select(added_streams).order_by(added_streams.c.name))]

    @uninterrupted
    async def add(self, row: AddedRow, entry: AuditEntry) -> None:
        """Adds one.

        Raises:
            TakenError: the name is taken.
        """
        self._warn_of_readers()
        values = insert(added_streams).values(_values(row))
        await self._insert(values, entry, f"there is an added stream {row.name} already")

    @uninterrupted
    async def change(self, row: AddedRow, entry: AuditEntry) -> bool:
        """Puts another in the place of one; False where there is none of that name."""
        of_that_name = added_streams.c.name == row.name
        return bool(await self._write(update(added_streams).where(of_that_name).values(_values(row)), entry))

    @uninterrupted
    async def remove(self, name: str, entry: AuditEntry) -> bool:
        """Removes one; False where there is none of that name."""
        return bool(await self._write(delete(added_streams).where(added_streams.c.name == name), entry))

    def _warn_of_readers(self) -> None:
        file = self._database.file
        if file is not None and file.stat().st_mode & _OTHERS:
            _log.warning("%s: others of this machine may read it, and passwords of added streams; chmod 600 it", file)


@asynccontextmanager
async def opened_added(url: str) -> AsyncIterator[AddedStreamStore]:
    """The store, for as long as the context lasts.

    Args:
        url: `store.url` of the configuration.

    Raises:
        StoreError: the database cannot be read.
    """
    store = await AddedStreamStore.open(url)
    try:
        yield store
    finally:
        await store.aclose()


async def read_added(url: str) -> list[AddedRow]:
    """All added streams; none where there is no database yet, or one of a version that knew of none.

    Raises:
        StoreError: the database cannot be read.
    """
    database = Database.parse(url)
    if database.file is not None and not database.file.is_file():
        return []
    engine = database.engine(writes=False)
    with database.errors():
        try:
            async with engine.connect() as connection:
                if not await connection.run_sync(lambda sync: inspect(sync).has_table(added_streams.name)):
                    return []
                rows = (await connection.execute(select(added_streams).order_by(added_streams.c.name))).all()
        finally:
            await engine.dispose()
    return [_row_of(row) for row in rows]


def _values(row: AddedRow) -> dict[str, Any]:
    return {"name": row.name, "settings": row.settings, "by": row.by, "at": row.at.astimezone(UTC)}


def _row_of(row: Row[Any]) -> AddedRow:
    return AddedRow(row.name, row.settings, row.by, aware(row.at))
