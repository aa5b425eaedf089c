"""One service per database: a second one would close the first one's episodes and deliver its alerts again.

Both locks end with the process that holds them, however it ends, so a crash leaves nothing to clean up.
Readers take none.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.errors import StoreError
from monitor.store.database import Database

_POSTGRES_KEY = 0x67656E64  # "gend"; such locks are per database already


class Lock(Protocol):
    """A lock that is held."""

    async def release(self) -> None:
        """Lets the next service in."""


async def take_lock(database: Database) -> Lock:
    """Claims the database for this process.

    Raises:
        StoreError: another service has it, or the lock cannot be made.
    """
    with database.errors():
        if database.file is not None:
            return await asyncio.to_thread(_FileLock, database.file)
        return await _ServerLock.take(database)


class _FileLock:
    """An advisory lock on a file beside the database; the file stays, for removing it would let two processes in."""

    def __init__(self, database: Path) -> None:
        self._descriptor = os.open(database.with_name(f"{database.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreError(f"{database}: in use by another gend-monitor (process {holder})") from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    async def release(self) -> None:
        os.close(self._descriptor)


class _ServerLock:
    """PostgreSQL's session lock, held by a connection that does nothing else."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @classmethod
    async def take(cls, database: Database) -> _ServerLock:
        engine = database.engine(writes=True).execution_options(isolation_level="AUTOCOMMIT")
        connection = await engine.connect()
        if not await connection.scalar(select(func.pg_try_advisory_lock(_POSTGRES_KEY))):
            await cls(connection).release()
            raise StoreError(f"{database.name}: in use by another gend-monitor")
        return cls(connection)

    async def release(self) -> None:
        await self._connection.close()
        await self._connection.engine.dispose()
