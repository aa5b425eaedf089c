"""A database in which whatever changes is told of in the audit log, by the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Delete, Insert, Row, Select, Update, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from monitor.access import AuditEntry, TakenError
from monitor.store.account_rows import entry_of, entry_values
from monitor.store.database import Database, uninterrupted
from monitor.store.reader import existing
from monitor.store.tables import audit

Change = Insert | Update | Delete


class AuditedStore:
    """The audit log. Open it by `open`, beside a running service or without; any number of processes may.

    Args:
        database: where the rows are.
        reading: a connection that takes no lock, for what every request asks.
        writing: one that takes SQLite's write lock with each transaction.
    """

    def __init__(self, database: Database, reading: AsyncEngine, writing: AsyncEngine) -> None:
        self._database = database
        self._reading = reading
        self._writing = writing

    @classmethod
    async def open(cls, url: str) -> Self:
        """Opens a database that the service has made, whether or not one is using it.

        Args:
            url: `store.url` of the configuration.

        Raises:
            StoreError: there is none, it has another schema than this version's, or it cannot be read.
        """
        database = await existing(url)
        return cls(database, database.engine(writes=False), database.engine(writes=True))

    async def aclose(self) -> None:
        """Closes the database."""
        with self._database.errors():
            await self._reading.dispose()
            await self._writing.dispose()

    async def audit(self, limit: int) -> list[AuditEntry]:
        """The newest lines, oldest first.

        Raises:
            StoreError: the database cannot be read.
        """
        newest = select(audit).order_by(audit.c.position.desc()).limit(limit)
        return [entry_of(row) for row in reversed(await self._rows(newest))]

    async def audit_page(self, limit: int, before: int | None) -> list[tuple[int, AuditEntry]]:
        """Lines with their places in the log, newest first.

        Args:
            limit: how many at the most.
            before: a place: those that stand before it. None: the newest.

        Raises:
            StoreError: the database cannot be read.
        """
        newest = select(audit).order_by(audit.c.position.desc()).limit(limit)
        if before is not None:
            newest = newest.where(audit.c.position < before)
        return [(row.position, entry_of(row)) for row in await self._rows(newest)]

    @uninterrupted
    async def tell(self, entry: AuditEntry) -> None:
        """Adds a line of what changed nothing here.

        Raises:
            StoreError: nothing could be written.
        """
        await self._write(_line(entry))

    @uninterrupted
    async def forget_audit(self, before: datetime) -> None:
        """Removes what the log tells of longer ago.

        Raises:
            StoreError: nothing could be written.
        """
        await self._write(delete(audit).where(audit.c.at < before.astimezone(UTC)))

    @uninterrupted
    async def _rows(self, statement: Select[Any]) -> Sequence[Row[Any]]:
        with self._database.errors():
            async with self._reading.connect() as connection:
                rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
                return rows

    async def _write(self, change: Change, entry: AuditEntry | None = None) -> int:
        """Does the change and tells of it, where it changes anything; returns how many rows it changed."""
        with self._database.errors():
            async with self._writing.begin() as connection:
                changed = (await connection.execute(change)).rowcount
                if changed and entry is not None:
                    await tell(connection, entry)
        return changed

    async def _insert(self, row: Insert, entry: AuditEntry, taken: str) -> None:
        with self._database.errors():
            try:
                async with self._writing.begin() as connection:
                    await connection.execute(row)
                    await tell(connection, entry)
            except IntegrityError as error:
                raise TakenError(taken) from error


async def tell(connection: AsyncConnection, entry: AuditEntry) -> None:
    """Adds a line within a transaction."""
    await connection.execute(_line(entry))


def _line(entry: AuditEntry) -> Insert:
    return insert(audit).values(entry_values(entry))
