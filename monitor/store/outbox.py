"""The outbox: what is recorded here is delivered to every sink, whatever happens to the process in between.

An alert and its rows in the outbox are one transaction, on the disk (`synchronous=FULL`) before `record` returns.
A row waits until its sink has acknowledged it. Delivery is at least once: who dies between an acknowledgement and
`delivered` sends that message again, under the same `id`. Nothing is ever dropped to make room; when the disk is full,
the reserve beside the database is used up first, then `record` raises and its caller keeps the alert.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from monitor.errors import StoreError
from monitor.messages import Alert
from monitor.store.database import Database, DiskFullError, uninterrupted
from monitor.store.database_file import DatabaseFile, make_private
from monitor.store.lock import Lock, take_lock
from monitor.store.migrate import migrate
from monitor.store.reader import AlertReader, decode, encode
from monitor.store.reserve import Reserve
from monitor.store.tables import alerts, outbox, runs, sequences
from monitor.store.waiting import Waiting

_log = logging.getLogger("monitor.store")

_LOOK_S = 5.0

KEEP_DELIVERED = timedelta(days=7)

T = TypeVar("T")
Statements = Callable[[AsyncConnection], Awaitable[tuple[T, Counter[str]]]]
"""What one transaction does; it returns a result and by how much more waits for each sink after it."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message that waits for a sink."""

    position: int
    sink: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """A snapshot of what this run delivered and what waits."""

    delivered: int
    """Ticked off by this run, each (message, sink) counted once."""
    waiting: Mapping[str, int]
    """Messages not yet delivered, by sink; those of former runs included."""
    reserve_held: bool
    """False where the disk is (nearly) full; always True on a database server."""
    oldest: Mapping[str, datetime] = field(default_factory=dict)
    """When the message that waits longest was decided, by sink; none where nothing waits."""


class Store(AlertReader):
    """Alerts and their deliveries. Open it by `Store.open`; one process at a time.

    Attributes:
        run_id: number of this start of the service, never used before.
    """

    run_id: int

    def __init__(self, database: Database, engine: AsyncEngine, lock: Lock, keep_delivered: timedelta) -> None:
        super().__init__(database, engine)
        self._lock = lock
        self._keep_delivered = keep_delivered
        self._reserve = Reserve(database.file) if database.file is not None else None
        self._file = DatabaseFile(database.file) if database.file is not None else None
        self._watching: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._waiting = Waiting()

    @classmethod
    async def open(cls, url: str, *, keep_delivered: timedelta = KEEP_DELIVERED) -> Self:
        """Opens the database, makes or upgrades its tables, and begins a run.

        Args:
            url: `store.url` of the configuration.
            keep_delivered: for how long a delivered row stays in the outbox. Alerts stay for ever.

        Raises:
            StoreError: another service uses it, a newer version made it, or it cannot be opened or written.
        """
        database = Database.parse(url)
        engine = database.engine(writes=True)
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(engine.dispose)
            lock = await take_lock(database, engine)
            undo.push_async_callback(lock.release)
            if database.file is not None:
                with database.errors():
                    make_private(database.file)
            await migrate(database)
            store = cls(database, engine, lock, keep_delivered)
            await store._begin_run()
            if store._file is not None:
                store._watching = asyncio.create_task(store._watch(), name="database file")
            undo.pop_all()
        return store

    @uninterrupted
    async def record(self, alert: Alert, sinks: Sequence[str]) -> Alert:
        """Keeps an alert for good, and one row of the outbox for each sink.

        An alert whose `id` is recorded already stays as it is, so that a caller who cannot know whether its first try
        came through may simply try again.

        Args:
            alert: a message; its `sequence` is ignored.
            sinks: who shall receive it.

        Returns:
            The alert with its `sequence`: the next one of its stream, without holes.

        Raises:
            StoreError: nothing was recorded; try again later.
        """

        async def statements(connection: AsyncConnection) -> tuple[Alert, Counter[str]]:
            known = await connection.scalar(select(alerts.c.body).where(alerts.c.id == alert.id))
            if known is not None:
                return decode(known), Counter()
            numbered = replace(alert, sequence=await _next_sequence(connection, alert.stream))
            position = await connection.scalar(
                insert(alerts)
                .values(
                    id=numbered.id,
                    alert_id=numbered.alert_id,
                    stream=numbered.stream,
                    sequence=numbered.sequence,
                    type=numbered.type,
                    body=encode(numbered),
                    at=numbered.at.astimezone(UTC),
                    configured=numbered.call_of or numbered.stream,
                )
                .returning(alerts.c.position)
            )
            if sinks:
                await connection.execute(insert(outbox), [{"position": position, "sink": sink} for sink in sinks])
            return numbered, Counter(sinks)

        return await self._write(statements)

    @uninterrupted
    async def pending(self, sink: str, limit: int, *, without: Collection[str] = ()) -> list[OutboxRow]:
        """What the sink has not acknowledged, oldest first and so in `sequence` of each stream.

        Args:
            sink: whose.
            limit: how many at the most.
            without: streams whose messages are left out.

        Raises:
            StoreError: the database cannot be read.
        """
        waiting = (
            select(alerts.c.position, alerts.c.body)
            .join(outbox)
            .where(outbox.c.sink == sink, outbox.c.delivered_at.is_(None), alerts.c.stream.not_in(without))
            .order_by(outbox.c.position)
            .limit(limit)
        )
        with self._database.errors():
            async with self._engine.connect() as connection:
                rows = (await connection.execute(waiting)).all()
        return [OutboxRow(position, sink, decode(body)) for position, body in rows]

    @uninterrupted
    async def delivered(self, *rows: OutboxRow) -> None:
        """Ticks off rows that their sink has acknowledged, and forgets those delivered long ago.

        Args:
            rows: of one sink; one or more.

        Raises:
            StoreError: all of them still count as pending; try again later.
        """
        now = datetime.now(UTC)
        sink, positions = rows[0].sink, [row.position for row in rows]

        async def statements(connection: AsyncConnection) -> tuple[None, Counter[str]]:
            ticked = await connection.execute(
                update(outbox)
                .where(outbox.c.position.in_(positions), outbox.c.sink == sink, outbox.c.delivered_at.is_(None))
                .values(delivered_at=now)
            )
            await connection.execute(delete(outbox).where(outbox.c.delivered_at < now - self._keep_delivered))
            return None, Counter({sink: -ticked.rowcount})

        await self._write(statements)

    @uninterrupted
    async def last_delivered(self, sink: str, since: datetime) -> dict[str, datetime]:
        """When the sink acknowledged something last, by stream.

        Args:
            sink: whose.
            since: what was acknowledged before is left out; what lies further back than a week is forgotten anyway.

        Raises:
            StoreError: the database cannot be read.
        """
        latest = (
            select(alerts.c.stream, func.max(outbox.c.delivered_at))
            .join(outbox)
            .where(outbox.c.sink == sink, outbox.c.delivered_at >= since)
            .group_by(alerts.c.stream)
        )
        with self._database.errors():
            async with self._engine.connect() as connection:
                rows = (await connection.execute(latest)).all()
        # SQLite keeps no time zone; what was written is UTC.
        return {stream: at if at.tzinfo else at.replace(tzinfo=UTC) for stream, at in rows}

    async def close_open_episodes(self, sinks: Callable[[Alert], Sequence[str]]) -> list[Alert]:
        """Clears every episode that a former run left open: what was held of its track died with that run.

        Args:
            sinks: who shall hear of such a message.

        Returns:
            The messages recorded: `cleared`, reason `restarted`, verdict `inconclusive` without evidence.

        Raises:
            StoreError: some may be recorded; call again.
        """
        closing = [
            replace(
                latest,
                id=str(uuid4()),
                type="cleared",
                reason="restarted",
                at=datetime.now(UTC),
                verdict="inconclusive",
                evidence=0.0,
            )
            for latest in await self.open_episodes()
        ]
        return [await self.record(alert, sinks(alert)) for alert in closing]

    def statistics(self) -> StoreStatistics:
        """A snapshot."""
        waiting, held = self._waiting, self._reserve is None or self._reserve.held
        return StoreStatistics(waiting.delivered, dict(waiting.counts), held, waiting.oldest)

    async def aclose(self) -> None:
        """Closes the database and lets another service in.

        Raises:
            StoreError: it is closed, but its file is not where it was, and could not be written anew.
        """
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._lock.release)
            stack.push_async_callback(super().aclose)
            await self._look()

    async def _begin_run(self) -> None:
        async def statements(connection: AsyncConnection) -> tuple[int, Counter[str]]:
            started = await connection.execute(insert(runs).values(started_at=datetime.now(UTC)).returning(runs.c.id))
            run_id: int = started.scalar_one()
            return run_id, Counter()

        self.run_id = await self._write(statements)

    async def _write(self, statements: Statements[T]) -> T:
        """Runs the statements as one transaction; on a full disk once more, with the space of the reserve."""
        async with self._writing:
            try:
                result = await self._transaction(statements)
            except DiskFullError:
                if self._reserve is None or not await asyncio.to_thread(self._reserve.release):
                    raise
                return await self._transaction(statements)
            if self._reserve is not None and not self._reserve.held:
                await asyncio.to_thread(self._reserve.hold)
            return result

    async def _transaction(self, statements: Statements[T]) -> T:
        with self._database.errors():
            await self._look_after_file()
            async with self._engine.begin() as connection:
                await self._waiting.begin(connection)
                result, change = await statements(connection)
                oldest = await self._waiting.look(connection, change)
            self._waiting.end(change, oldest)
            await self._look_after_file()
            return result

    async def _look_after_file(self) -> None:
        if self._file is not None:
            await self._file.look_after(self._engine)

    @uninterrupted
    async def _look(self) -> None:
        async with self._writing:
            with self._database.errors():
                await self._look_after_file()

    async def _watch(self) -> None:
        """Looks after the file while nothing is written; what is wrong is said when it changes."""
        said: str | None = None
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._look()
                said = None
            except StoreError as error:
                if str(error) != said:
                    _log.error("%s", error)
                said = str(error)


async def _next_sequence(connection: AsyncConnection, stream: str) -> int:
    """Allots a number in the caller's transaction: rolled back with it, so that none is ever skipped."""
    allotted: int | None = await connection.scalar(
        update(sequences)
        .where(sequences.c.stream == stream)
        .values(last=sequences.c.last + 1)
        .returning(sequences.c.last)
    )
    if allotted is None:
        await connection.execute(insert(sequences).values(stream=stream, last=1))
        return 1
    return allotted
