"""Looks for alert episodes, newest first and a page at a time, beside a running service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.kin import CALL_NAME
from monitor.messages import Alert, VerdictState
from monitor.store.database import uninterrupted
from monitor.store.reader import AlertReader, aware, decode, existing
from monitor.store.reviewed import Review, ReviewedEpisode
from monitor.store.tables import alerts, reviews

EpisodeState = Literal["open", "cleared"]


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Which episodes are meant; None: whichever.

    Attributes:
        streams: of these streams, and of the calls of those that take some.
        since: raised at that moment or later.
        until: raised before that moment.
        state: whether they stand or are over.
        reviewed: whether anybody has said anything of them.
        verdict: what their latest message told.
    """

    streams: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: EpisodeState | None = None
    reviewed: bool | None = None
    verdict: VerdictState | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """What one alert episode comes to. One that stands for a day has thousands of messages: they are not all in it.

    Attributes:
        position: grows with every episode that is raised; pages are cut by it.
        raised: the message that began it.
        latest: what was told last.
        count: of its messages.
        peak_evidence: the most that any of them told.
        reviews: in the order in which they were given.
    """

    position: int
    raised: Alert
    latest: Alert
    count: int
    peak_evidence: float
    reviews: tuple[Review, ...]

    @property
    def alert_id(self) -> str:
        """Its name."""
        return self.raised.alert_id

    @property
    def state(self) -> EpisodeState:
        """Whether it stands."""
        return "cleared" if self.latest.type == "cleared" else "open"

    @property
    def reviewed(self) -> ReviewedEpisode | None:
        """What people say of it; None where nobody has said anything."""
        return ReviewedEpisode(self.raised, self.peak_evidence, self.reviews) if self.reviews else None


class EpisodeReader(AlertReader):
    """Finds episodes. Open it by `EpisodeReader.open`; it changes nothing, and keeps nobody from writing."""

    @classmethod
    async def open(cls, url: str) -> Self:
        """As `AlertReader.open`."""
        database = await existing(url)
        # The service writes its file anew where somebody has removed it: then that one is to be read.
        return cls(database, database.engine(writes=False, kept=False))

    @uninterrupted
    async def episodes(self, asked: EpisodeFilter, limit: int, before: int | None = None) -> list[Episode]:
        """The newest episodes.

        Args:
            asked: which.
            limit: how many at the most.
            before: only those of a smaller `position`, which has the effect of a page that stays where it is while new
                episodes are raised.

        Raises:
            StoreError: the database cannot be read.
        """
        found = select(alerts.c.alert_id).where(*_conditions(asked))
        if before is not None:
            found = found.where(alerts.c.position < before)
        found = found.order_by(alerts.c.position.desc()).limit(limit)
        with self._database.errors():
            async with self._engine.connect() as connection:
                return await _whole(connection, (await connection.scalars(found)).all())

    @uninterrupted
    async def episode(self, alert_id: str) -> Episode | None:
        """One episode; None where there is none of that id.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.errors():
            async with self._engine.connect() as connection:
                return next(iter(await _whole(connection, [alert_id])), None)

    async def messages(self, alert_id: str, limit: int, before: int | None = None) -> list[Alert]:
        """The newest messages of an episode, newest first.

        Args:
            alert_id: the episode.
            limit: how many at the most.
            before: only those of a smaller `sequence`.

        Raises:
            StoreError: the database cannot be read.
        """
        told = select(alerts.c.body).where(alerts.c.alert_id == alert_id)
        if before is not None:
            told = told.where(alerts.c.sequence < before)
        return [decode(body) for body in await self._column(told.order_by(alerts.c.position.desc()).limit(limit))]

    @uninterrupted
    async def newest(self) -> str | None:
        """The id of the message that was recorded last; None where there is none.

        Raises:
            StoreError: the database cannot be read.
        """
        last = select(alerts.c.id).order_by(alerts.c.position.desc()).limit(1)
        with self._database.errors():
            async with self._engine.connect() as connection:
                newest: str | None = await connection.scalar(last)
        return newest

    async def recorded_after(self, message_id: str, limit: int, streams: frozenset[str] | None = None) -> list[Alert]:
        """The messages that were recorded after one, oldest first.

        Args:
            message_id: that one's `id`; of an id that is not there every message comes after.
            limit: how many at the most.
            streams: of these streams, and of their calls; None: of all.

        Raises:
            StoreError: the database cannot be read.
        """
        known = select(func.coalesce(func.max(alerts.c.position), 0)).where(alerts.c.id == message_id)
        later = select(alerts.c.body).where(alerts.c.position > known.scalar_subquery())
        if streams is not None:
            later = later.where(_of(streams))
        return [decode(body) for body in await self._column(later.order_by(alerts.c.position).limit(limit))]

    async def call_of(self, stream: str) -> str | None:
        """The configured stream that one with alerts was a call of; None where it was none, or had no alert.

        Raises:
            StoreError: the database cannot be read.
        """
        told = select(alerts.c.configured).where(alerts.c.stream == stream).limit(1)
        configured: str | None = next(iter(await self._column(told)), None)
        return None if configured == stream else configured

    async def knows(self, message_id: str) -> bool:
        """Whether a message of that id was recorded.

        Raises:
            StoreError: the database cannot be read.
        """
        return bool(await self._column(select(alerts.c.position).where(alerts.c.id == message_id)))


def _of(streams: frozenset[str]) -> ColumnElement[bool]:
    """That a message is of one of these streams, or of a call of one."""
    names = sorted(streams)
    configured = alerts.c.configured.in_(names)
    # One condition where that says it all: then they are found in their order.
    return configured | alerts.c.stream.in_(names) if any(map(CALL_NAME.fullmatch, names)) else configured


def _conditions(asked: EpisodeFilter) -> list[ColumnElement[bool]]:
    """What holds of the messages that raised the episodes asked for."""
    wanted: list[ColumnElement[bool]] = [alerts.c.type == "raised"]
    if asked.streams is not None:
        wanted.append(_of(asked.streams))
    if asked.since is not None:
        wanted.append(alerts.c.at >= asked.since.astimezone(UTC))
    if asked.until is not None:
        wanted.append(alerts.c.at < asked.until.astimezone(UTC))
    other = alerts.alias("other")
    if asked.state is not None:
        over = exists().where(other.c.alert_id == alerts.c.alert_id, other.c.type == "cleared")
        wanted.append(over if asked.state == "cleared" else ~over)
    if asked.reviewed is not None:
        said = exists().where(reviews.c.alert_id == alerts.c.alert_id)
        wanted.append(said if asked.reviewed else ~said)
    if asked.verdict is not None:
        verdict: Any = other.c.body["verdict"]
        last = select(verdict.as_string()).where(other.c.alert_id == alerts.c.alert_id)
        wanted.append(last.order_by(other.c.position.desc()).limit(1).scalar_subquery() == asked.verdict)
    return wanted


async def _whole(connection: AsyncConnection, alert_ids: Sequence[str]) -> list[Episode]:
    """The episodes of these ids, in their order, with all that belongs to them."""
    evidence: Any = alerts.c.body["evidence"]
    sums = (
        select(
            alerts.c.alert_id,
            func.min(alerts.c.position).label("first"),
            func.max(alerts.c.position).label("last"),
            func.count().label("messages"),
            func.max(evidence.as_float()).label("peak"),
        )
        .where(alerts.c.alert_id.in_(alert_ids))
        .group_by(alerts.c.alert_id)
    )
    known = {row.alert_id: row for row in await connection.execute(sums)}
    ends = {position for row in known.values() for position in (row.first, row.last)}
    told = select(alerts.c.position, alerts.c.body).where(alerts.c.position.in_(ends))
    messages = {row.position: decode(row.body) for row in await connection.execute(told)}
    given = select(reviews).where(reviews.c.alert_id.in_(alert_ids)).order_by(reviews.c.position)
    said: defaultdict[str, list[Review]] = defaultdict(list)
    for each in await connection.execute(given):
        said[each.alert_id].append(Review(each.alert_id, each.answer, each.by, each.note, aware(each.at)))
    return [
        Episode(row.first, messages[row.first], messages[row.last], row.messages, row.peak, tuple(said[name]))
        for name, row in ((name, known[name]) for name in alert_ids if name in known)
    ]
