"""One service per database: a second one would close the first one's episodes and deliver its alerts again.

Both locks end with the process that holds them, however it ends, so a crash leaves nothing to clean up.
Readers take none, nor does who only adds reviews (`reviews.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.errors import StoreError
from monitor.store.database import SILENT_S, Database

_POSTGRES_KEY = 0x67656E64  # "gend"; such locks are per database already
# The server notices the end of a process that was killed a moment after the next one may be there. That of a machine
# takes much longer; the refusal says so, for who starts the service twice by mistake shall not wait.
_PATIENCE_S = 3.0
_AGAIN_S = 0.1


class InUseError(StoreError):
    """Another service has the database."""


class Lock(Protocol):
    """A lock that is held."""

    async def release(self) -> None:
        """Lets the next service in."""


async def take_lock(database: Database, engine: AsyncEngine) -> Lock:
    """Claims the database for this process.

    Args:
        database: what is claimed.
        engine: by which the process will write; no connection of it may have been made yet.

    Raises:
        StoreError: another service has it, or the lock cannot be made.
    """
    with database.errors():
        if database.file is not None:
            return await asyncio.to_thread(_FileLock, database.file)
        return await _ServerLock.take(database, engine)


class _FileLock:
    """An advisory lock on a file beside the database; the file stays, for removing it would let two processes in."""

    def __init__(self, database: Path) -> None:
        self._descriptor = os.open(database.with_name(f"{database.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise InUseError(f"{database}: in use by another gend-monitor (process {holder})") from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    async def release(self) -> None:
        os.close(self._descriptor)


class _ServerLock:
    """PostgreSQL's session lock, held by the very connection that writes.

    Who loses the connection loses the lock, and gets no new connection without it: so there is no moment at which
    two services could write, whatever happened to server and network in between.
    """

    @classmethod
    async def take(cls, database: Database, engine: AsyncEngine) -> _ServerLock:
        def claim(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            try:
                cursor.execute(f"SELECT pg_try_advisory_lock({_POSTGRES_KEY})")
                (claimed,) = cursor.fetchone()
                connection.commit()
            except BaseException:
                connection.terminate()
                raise
            if not claimed:
                connection.close()
                raise InUseError(
                    f"{database.name}: in use by another gend-monitor; "
                    f"if its machine has died, free {SILENT_S} s after that at the latest"
                )

        event.listen(engine.sync_engine, "connect", claim)
        left = round(_PATIENCE_S / _AGAIN_S)  # counted, not read off a clock: while a machine stands still, so do all
        while True:
            try:
                async with engine.connect():
                    return cls()
            except InUseError:
                if left == 0:
                    raise
            left -= 1
            await asyncio.sleep(_AGAIN_S)

    async def release(self) -> None:
        """Nothing: the lock goes with its connection."""
