"""What people say of alerts, and which streams they want quiet: written by whoever is asked, beside a running service.

The service's lock keeps numbers and deliveries in one hand. Rows are only ever added here, none of them is the
service's, and the database puts those of several writers into an order: so no lock is needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.errors import StoreError
from monitor.messages import Alert, Answer
from monitor.store.database import uninterrupted
from monitor.store.reader import AlertReader, aware, decode
from monitor.store.reviewed import Review, ReviewedEpisode
from monitor.store.tables import alerts, reviews, snoozes

_NAME_LENGTH = 100
_NOTE_LENGTH = 2000


class ReviewStore(AlertReader):
    """Adds reviews and snoozes, and tells what they come to. Open it by `ReviewStore.open`.

    Any number of processes may. On SQLite, those that write wait for each other, 5 s at the most.
    """

    _WRITES = True

    @uninterrupted
    async def review(
        self, alert_id: str, answer: Answer, *, by: str | None = None, note: str | None = None
    ) -> ReviewedEpisode:
        """Adds a word on an episode; what was said before is kept.

        Args:
            alert_id: the episode.
            answer: whether its alert was right.
            by: who says so, at most 100 characters.
            note: why, at most 2000 characters.

        Returns:
            The episode with all its reviews.

        Raises:
            StoreError: there is no such episode, a text is too long, or nothing could be written.
        """
        row = {
            "alert_id": alert_id,
            "answer": answer,
            "by": _text("by", by, _NAME_LENGTH),
            "note": _text("note", note, _NOTE_LENGTH),
            "at": datetime.now(UTC),
        }
        with self._database.errors():
            async with self._engine.begin() as connection:
                await self._check_episode(connection, alert_id)
                await connection.execute(insert(reviews).values(row))
                (episode,) = await _reviewed(connection, alert_id)
        return episode

    @uninterrupted
    async def reviewed_episodes(self) -> list[ReviewedEpisode]:
        """Every episode that was reviewed, in the order in which they were raised.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._database.errors():
            async with self._engine.connect() as connection:
                return await _reviewed(connection)

    async def unreviewed_episodes(self, limit: int) -> list[Alert]:
        """The messages that raised the newest episodes of which nobody has said anything, oldest first.

        Raises:
            StoreError: the database cannot be read.
        """
        reviewed = exists().where(reviews.c.alert_id == alerts.c.alert_id)
        newest = (
            select(alerts.c.body)
            .where(alerts.c.type == "raised", ~reviewed)
            .order_by(alerts.c.position.desc())
            .limit(limit)
        )
        return [decode(body) for body in reversed(await self._column(newest))]

    @uninterrupted
    async def snooze(self, stream: str, until: datetime, *, by: str | None = None) -> None:
        """Adds a word on how long a stream's alerts shall call nobody; it replaces the one before.

        Args:
            stream: its name.
            until: with its zone; a moment that is over ends the snooze.
            by: who says so, at most 100 characters.

        Raises:
            StoreError: the name is too long, or nothing could be written.
        """
        row = {
            "stream": stream,
            "until": until.astimezone(UTC),
            "by": _text("by", by, _NAME_LENGTH),
            "at": datetime.now(UTC),
        }
        with self._database.errors():
            async with self._engine.begin() as connection:
                await connection.execute(insert(snoozes).values(row))

    async def _check_episode(self, connection: AsyncConnection, alert_id: str) -> None:
        if await connection.scalar(select(alerts.c.position).where(alerts.c.alert_id == alert_id).limit(1)):
            return
        episode = await connection.scalar(select(alerts.c.alert_id).where(alerts.c.id == alert_id))
        hint = f"; that is the id of one message of episode {episode}" if episode else ""
        raise StoreError(f"{self._database.name}: no alert has the alert_id {alert_id}{hint}")


@asynccontextmanager
async def opened_reviews(url: str) -> AsyncIterator[ReviewStore]:
    """`ReviewStore.open` for a few words, and closed after them.

    Raises:
        StoreError: as there.
    """
    store = await ReviewStore.open(url)
    try:
        yield store
    finally:
        await store.aclose()


async def _reviewed(connection: AsyncConnection, alert_id: str | None = None) -> list[ReviewedEpisode]:
    """The reviewed episodes, or that one."""
    given = select(reviews).order_by(reviews.c.position)
    told = (
        select(alerts.c.body)
        .where(alerts.c.alert_id.in_(select(reviews.c.alert_id).distinct()))
        .order_by(alerts.c.position)
    )
    if alert_id is not None:
        given, told = given.where(reviews.c.alert_id == alert_id), told.where(alerts.c.alert_id == alert_id)
    said: defaultdict[str, list[Review]] = defaultdict(list)
    for row in await connection.execute(given):
        said[row.alert_id].append(Review(row.alert_id, row.answer, row.by, row.note, aware(row.at)))
    messages: defaultdict[str, list[Alert]] = defaultdict(list)
    for body in await connection.scalars(told):
        message = decode(body)
        messages[message.alert_id].append(message)
    return [
        ReviewedEpisode(episode[0], max(message.evidence for message in episode), tuple(said[name]))
        for name, episode in messages.items()
        if name in said
    ]


def _text(name: str, text: str | None, longest: int) -> str | None:
    """The text without spaces around it; None where nothing is left."""
    text = (text or "").strip()
    if len(text) > longest:
        raise StoreError(f"{name}: at most {longest} characters, not {len(text)}")
    return text or None
