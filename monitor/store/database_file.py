"""An SQLite file that somebody removes goes on working for who has it open, and is gone for good when they end.

So the service looks whether the file is still where it was: around each transaction, every few seconds, and before it
ends. If not, it is written anew from the connection that still has all of it. Where another file stands in its place,
that one is left alone, and what the service had is written beside it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.errors import StoreError

_log = logging.getLogger("monitor.store")


class DatabaseFile:
    """Where the database stands, and which file stood there when it was opened.

    Args:
        database: the SQLite file, which exists.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file = self._standing()
        self._orphan: Path | None = None

    async def look_after(self, engine: AsyncEngine) -> None:
        """Sees to it that the file is where it was, writing it anew if it must. One caller at a time.

        Args:
            engine: its one connection has the database open.

        Raises:
            StoreError: another file is there; nothing may be written any more.
            Exception: whatever database or file system raise while the file is written anew.
        """
        standing = await asyncio.to_thread(self._standing)
        if standing == self._file:
            self._orphan = None
        elif standing is None:
            await self._write(engine, self._database)
            self._file = self._standing()
            async with engine.connect():  # holds the new file from now on
                pass
            _log.error("%s: was removed while in use; written anew, nothing is lost", self._database)
        else:
            if self._orphan is None:
                orphan = f"{self._database.name}.orphaned-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
                await self._write(engine, self._database.with_name(orphan))
                self._orphan = self._database.with_name(orphan)
            raise StoreError(
                f"{self._database}: another file was put in its place; what the service had is in {self._orphan.name}: "
                f"stop the service, move that to {self._database.name} unless the other file is wanted, start it again"
            )

    async def _write(self, engine: AsyncEngine, target: Path) -> None:
        """Writes all that the connection has to a new file, and gives it up if that is the database from now on."""
        copy = self._database.with_name(f"{self._database.name}.unfinished")
        async with engine.connect() as connection:
            held = (await connection.get_raw_connection()).driver_connection
            assert held is not None
            copy.unlink(missing_ok=True)
            make_private(copy)
            await held.execute("VACUUM INTO ?", (str(copy),))
            # The log keeps its name: nothing in it may be taken for changes to the file that stands there next.
            await held.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            await asyncio.to_thread(_put, copy, target)
            if target == self._database:
                await connection.invalidate()

    def _standing(self) -> tuple[int, int] | None:
        try:
            found = self._database.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def make_private(file: Path) -> None:
    """Makes an empty file that its owner alone reads, if there is none yet; what SQLite puts beside it is so, too.

    Raises:
        OSError: it cannot be made.
    """
    os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _put(copy: Path, target: Path) -> None:
    """Gives a finished copy its name, for good."""
    _flush(copy)
    copy.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
