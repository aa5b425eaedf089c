"""What differs between databases: where they are, how their connections are set up, how they fail."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from sqlalchemy import URL, Connection, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from monitor.errors import StoreError
from monitor.redact import redact

_BUSY_TIMEOUT_MS = 5_000
_CACHE_KB = 256
"""Of the 2 MB by default little would ever be read again, and for an hour they look like a leak."""
_LOG_PAGES = 256
"""SQLite's write-ahead log is folded into the database at 1 MB, not 4: on a full disk it takes from the reserve."""

SILENT_S = 40
"""A server lets go of a client that has not been heard of for so long, and of its lock: its machine lost its power."""

_SERVER: dict[str, Any] = {
    "timeout": 10,
    "command_timeout": 30,
    "server_settings": {
        "tcp_keepalives_idle": str(SILENT_S // 2),
        "tcp_keepalives_interval": str(SILENT_S // 8),
        "tcp_keepalives_count": "4",
        "tcp_user_timeout": str(SILENT_S * 1000),  # an answer is on its way: then no keep-alives are sent
    },
}
"""How asyncpg connects; seconds. A server that does not answer is an error, and the caller tries again."""

_READ_ONLY = "25006"
"""PostgreSQL's code for a write to a server that takes none."""

P = ParamSpec("P")
T = TypeVar("T")


class DiskFullError(StoreError):
    """The database cannot grow."""


@dataclass(frozen=True, slots=True)
class Database:
    """Address of a database.

    Attributes:
        url: SQLAlchemy's URL, with credentials.
        name: how errors and logs call it, without credentials.
        file: the file of an SQLite database; None for a server.
    """

    url: URL
    name: str
    file: Path | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Reads a URL of the configuration.

        Raises:
            StoreError: it is no URL, or an SQLite database that is not a file.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StoreError(redact(f"{url}: not a database URL")) from error
        if parsed.get_backend_name() != "sqlite":
            return cls(parsed, redact(parsed.render_as_string()), None)
        if not parsed.database or parsed.database.startswith((":memory:", "file:")):
            raise StoreError(f"{url}: name a file; alerts must outlive the process")
        return cls(parsed, parsed.database, Path(parsed.database))

    def engine(self, *, writes: bool, kept: bool = True) -> AsyncEngine:
        """An engine of a single connection, so that positions are handed out in the order of commits.

        Args:
            writes: take SQLite's write lock at the start of each transaction, where waiting for it is possible;
                without, nothing can be written at all.
            kept: whether its connection stays; else SQLite's file is opened anew each time, and is the one that stands
                there then.

        Raises:
            StoreError: the database's driver is not installed.
        """
        connect_args = {} if self.file is not None else _SERVER
        if connect_args and writes:
            # Of several hosts in the URL the one that is primary now; a reader may use any.
            connect_args = {**connect_args, "target_session_attrs": "read-write"}
        pool: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
        if not kept and self.file is not None:
            pool = {"poolclass": NullPool}
        try:
            engine = create_async_engine(self.url, connect_args=connect_args, **pool)
        except ModuleNotFoundError as error:
            raise StoreError(f'{self.name}: {error.name} is missing: pip install "gend-monitor[postgres]"') from error
        if self.file is not None:
            _set_up_sqlite(engine, writes=writes)
        else:
            _set_up_server(engine)
        return engine

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns whatever the database raises into one line that names it.

        Raises:
            DiskFullError: there is no space left.
            StoreError: anything else.
        """
        try:
            yield
        except self._failures() as error:
            cause = getattr(error, "orig", None) or error
            full = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            silent = "no answer" if isinstance(cause, TimeoutError) else type(cause).__name__
            said = (isinstance(cause, OSError) and cause.strerror) or str(cause)
            if "target attribute requirement" in said:  # the rest of asyncpg's line is about Python
                said = "no server takes writes"
            line = next(iter(said.splitlines()), silent)
            raise (DiskFullError if full else StoreError)(redact(f"{self.name}: {line}")) from error

    def _failures(self) -> tuple[type[Exception], ...]:
        """What a database raises: SQLAlchemy wraps all of it but the driver's errors while connecting."""
        if self.file is not None:
            return (SQLAlchemyError, OSError, sqlite3.Error)
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, there since the engine was made

        return (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


def uninterrupted(call: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Makes a call finish its work before its caller is cancelled.

    A query that is torn off costs the connection, and a commit that is torn off leaves open whether it happened.
    """

    @functools.wraps(call)
    async def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(call(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise

    return whole


def _set_up_server(engine: AsyncEngine) -> None:
    """Gives up a connection whose server became a standby: it stays whole, and would refuse writes for ever."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            context.is_disconnect = True


def _set_up_sqlite(engine: AsyncEngine, *, writes: bool) -> None:
    """Settings of each connection and the statement that begins each transaction."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        # Python's sqlite3 would begin transactions by itself, late and not before DDL.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
        if writes:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
