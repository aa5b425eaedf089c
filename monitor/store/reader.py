"""Reads the alerts that were recorded; works beside a running service and after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.errors import StoreError
from monitor.messages import Alert
from monitor.store.database import Database, uninterrupted
from monitor.store.migrate import check_schema
from monitor.store.tables import alerts, snoozes

T = TypeVar("T")

_ALERT = TypeAdapter(Alert)


def encode(alert: Alert) -> dict[str, Any]:
    """The alert as the JSON of column `body`."""
    body: dict[str, Any] = _ALERT.dump_python(alert, mode="json")
    return body


def decode(body: dict[str, Any]) -> Alert:
    """The alert of a `body`; fields that a newer version left out take their defaults."""
    return _ALERT.validate_python(body)


def aware(moment: datetime) -> datetime:
    """A time that the database keeps in UTC; SQLite forgets the zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def existing(url: str) -> Database:
    """A database that the service has made; takes no lock and changes nothing.

    Args:
        url: `store.url` of the configuration.

    Raises:
        StoreError: there is none, it has another schema than this version's, or it cannot be read.
    """
    database = Database.parse(url)
    if database.file is not None and not database.file.is_file():
        raise StoreError(f"{database.name}: no such file; the service makes it when it first starts")
    await check_schema(database)
    return database


class AlertReader:
    """Queries that change nothing.

    Args:
        database: where the alerts are.
        engine: a connection to it.
    """

    _WRITES: ClassVar[bool] = False
    """Whether the connection may change anything."""

    def __init__(self, database: Database, engine: AsyncEngine) -> None:
        self._database = database
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Self:
        """Opens a database that the service has made, whether or not one is using it; changes nothing by that.

        Args:
            url: `store.url` of the configuration.

        Raises:
            StoreError: there is none, it has another schema than this version's, or it cannot be read.
        """
        database = await existing(url)
        return cls(database, database.engine(writes=cls._WRITES))

    async def alerts(self, limit: int, after: str | None = None) -> list[Alert]:
        """Messages in the order in which they were recorded.

        Args:
            limit: how many at the most.
            after: id of a message: those recorded after it. None: the newest ones.

        Raises:
            StoreError: the database cannot be read, or has no message `after`.
        """
        if after is None:
            newest = select(alerts.c.body).order_by(alerts.c.position.desc()).limit(limit)
            return [decode(body) for body in reversed(await self._column(newest))]
        position = await self._column(select(alerts.c.position).where(alerts.c.id == after))
        if not position:
            raise StoreError(f"{self._database.name}: no alert has the id {after}")
        later = select(alerts.c.body).where(alerts.c.position > position[0]).order_by(alerts.c.position).limit(limit)
        return [decode(body) for body in await self._column(later)]

    async def last_raised(self, stream: str, limit: int) -> list[Alert]:
        """The messages that raised the stream's newest episodes, newest first.

        Args:
            stream: whose.
            limit: how many at the most.

        Raises:
            StoreError: the database cannot be read.
        """
        newest = (
            select(alerts.c.body)
            .where(alerts.c.stream == stream, alerts.c.type == "raised")
            .order_by(alerts.c.position.desc())
            .limit(limit)
        )
        return [decode(body) for body in await self._column(newest)]

    async def open_episodes(self) -> list[Alert]:
        """The latest message of every episode that has not been cleared.

        Raises:
            StoreError: the database cannot be read.
        """
        other = alerts.alias("later")
        superseded = (
            select(other.c.position)
            .where(other.c.alert_id == alerts.c.alert_id, other.c.position > alerts.c.position)
            .exists()
        )
        latest = select(alerts.c.body).where(alerts.c.type != "cleared", ~superseded).order_by(alerts.c.position)
        return [decode(body) for body in await self._column(latest)]

    @uninterrupted
    async def snoozes(self) -> dict[str, datetime]:
        """Until when each stream is or was snoozed, by the last word on it.

        Raises:
            StoreError: the database cannot be read.
        """
        last = select(func.max(snoozes.c.position)).group_by(snoozes.c.stream)
        said = select(snoozes.c.stream, snoozes.c.until).where(snoozes.c.position.in_(last))
        with self._database.errors():
            async with self._engine.connect() as connection:
                return {stream: aware(until) for stream, until in await connection.execute(said)}

    async def aclose(self) -> None:
        """Closes the database."""
        with self._database.errors():
            await self._engine.dispose()

    @uninterrupted
    async def _column(self, statement: Select[T]) -> Sequence[T]:
        with self._database.errors():
            async with self._engine.connect() as connection:
                return (await connection.scalars(statement)).all()
