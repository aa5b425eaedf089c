"""Alert episodes: found, looked at, said something of, taken away as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from monitor.access import Principal
from monitor.actions.errors import NotFoundError
from monitor.actions.paging import MOST_PER_PAGE, Page, page, place
from monitor.messages import Alert, Answer
from monitor.store import Episode, EpisodeFilter, ReviewedEpisode

_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class WholeEpisode:
    """An episode, and the newest of its messages."""

    episode: Episode
    messages: Page[Alert]


class Episodes(Protocol):
    """What is needed of the store to look."""

    async def call_of(self, stream: str) -> str | None:
        """The stream that one with alerts was a call of."""

    async def episodes(self, asked: EpisodeFilter, limit: int, before: int | None = None) -> list[Episode]:
        """The newest episodes."""

    async def episode(self, alert_id: str) -> Episode | None:
        """One episode."""

    async def messages(self, alert_id: str, limit: int, before: int | None = None) -> list[Alert]:
        """The newest messages of an episode."""


class ReviewBook(Protocol):
    """What is needed of the store to write."""

    async def review(
        self, alert_id: str, answer: Answer, *, by: str | None = None, note: str | None = None
    ) -> ReviewedEpisode:
        """Adds a word on an episode."""


class AlertActions:
    """Shows episodes, and takes reviews of them.

    Args:
        store: where they are.
        book: opens the store, for one word.
    """

    def __init__(self, store: Episodes, book: Callable[[], AbstractAsyncContextManager[ReviewBook]]) -> None:
        self._store = store
        self._book = book

    async def find(self, principal: Principal, asked: EpisodeFilter, limit: int, cursor: str | None) -> Page[Episode]:
        """A page of episodes, newest first. Pages stay where they are while new episodes are raised.

        Args:
            principal: who asks.
            asked: which; streams of former configurations have episodes, too.
            limit: how many, 200 at the most.
            cursor: of the page; None: the first.

        Raises:
            ForbiddenError: one of the streams asked for they may not see.
            RefusedError: the cursor is none.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        seen = await self._seen(principal, asked)
        limit = min(limit, MOST_PER_PAGE)
        found = await self._store.episodes(seen, limit + 1, place(cursor))
        return page(found, limit, lambda episode: episode.position)

    async def one(self, principal: Principal, alert_id: str) -> WholeEpisode:
        """An episode with its newest messages.

        Raises:
            NotFoundError: there is none of that id.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        episode = await self._episode(principal, alert_id)
        return WholeEpisode(episode, await self._messages(alert_id, _MESSAGES, None))

    async def messages(self, principal: Principal, alert_id: str, limit: int, cursor: str | None) -> Page[Alert]:
        """A page of an episode's messages, newest first.

        Raises:
            NotFoundError: there is no episode of that id.
            RefusedError: the cursor is none.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        before = place(cursor)
        await self._episode(principal, alert_id)
        return await self._messages(alert_id, min(limit, MOST_PER_PAGE), before)

    async def review(self, principal: Principal, alert_id: str, answer: Answer, note: str | None) -> Episode:
        """Adds their word on an episode; what was said before is kept.

        Returns:
            The episode with all its reviews.

        Raises:
            NotFoundError: there is none of that id.
            StoreError: nothing could be written.
        """
        principal.require("operator")
        episode = await self._episode(principal, alert_id)
        async with self._book() as book:
            reviewed = await book.review(alert_id, answer, by=principal.name, note=note)
        return replace(episode, reviews=reviewed.reviews)

    async def export(self, principal: Principal, asked: EpisodeFilter) -> AsyncIterator[list[Episode]]:
        """Every episode, newest first, some at a time: each has seen the database for a moment only.

        The first are read before this returns, so that what fails, fails then.

        Raises:
            ForbiddenError: one of the streams asked for they may not see.
            StoreError: the database cannot be read.
        """
        principal.require("viewer")
        seen = await self._seen(principal, asked)
        first = await self._store.episodes(seen, MOST_PER_PAGE)
        return self._following(seen, first)

    async def _following(self, asked: EpisodeFilter, found: list[Episode]) -> AsyncIterator[list[Episode]]:
        while found:
            yield found
            full = len(found) == MOST_PER_PAGE
            found = await self._store.episodes(asked, MOST_PER_PAGE, found[-1].position) if full else []

    async def _episode(self, principal: Principal, alert_id: str) -> Episode:
        episode = await self._store.episode(alert_id)
        if episode is None or not principal.sees(episode.raised.stream, episode.raised.call_of):
            raise NotFoundError(f"there is no alert {alert_id}, or you may not see it")
        return episode

    async def _messages(self, alert_id: str, limit: int, before: int | None) -> Page[Alert]:
        found = await self._store.messages(alert_id, limit + 1, before)
        return page(found, limit, lambda message: message.sequence or 0)

    async def _seen(self, principal: Principal, asked: EpisodeFilter) -> EpisodeFilter:
        """What is asked for, as far as they may see it."""
        if asked.streams is None:
            return replace(asked, streams=principal.streams)
        for stream in sorted(asked.streams):
            if not principal.sees(stream):  # it may be a call that is over
                principal.require("viewer", stream, await self._store.call_of(stream))
        return asked
