"""Alert episodes: pages, single ones, their messages, reviews, and all of them as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.access import Principal
from monitor.actions import Actions
from monitor.actions.paging import MOST_PER_PAGE
from monitor.messages import Answer
from monitor.store import Episode, Review
from monitor.web.alert_query import AlertQuery
from monitor.web.api.export import CSV, NDJSON, csv_lines, json_lines, streamed
from monitor.web.api.models import AlertShape, PageShape, Shape, Time, time
from monitor.web.api.problems import declared
from monitor.web.asking import Asking

AlertId = Annotated[str, Path(pattern="^[0-9A-Za-z_-]{1,64}$", description="`alert_id` of the episode.")]


class ReviewShape(Shape):
    """One person's word on an episode."""

    answer: Answer
    by: str | None
    note: str | None
    at: Time

    @classmethod
    def of(cls, review: Review) -> Self:
        """The same."""
        return cls(answer=review.answer, by=review.by, note=review.note, at=time(review.at))


class EpisodeShape(Shape):
    """An alert episode."""

    alert_id: str
    stream: str
    track: str
    state: Literal["open", "cleared"]
    raised_at: Time
    cleared_at: Time | None
    peak_evidence: float | None = Field(description="The most that any of its messages told.")
    message_count: int
    raised: AlertShape = Field(description="The message that began it.")
    latest: AlertShape = Field(description="What was told last.")
    answer: Answer | None = Field(
        description="What people say of it: the last word, `unsure` where they contradict each other, null where "
        "nobody has said anything."
    )
    contradiction: str | None = Field(examples=["right by anna, wrong by ben"])
    reviews: list[ReviewShape] = Field(description="In the order in which they were given.")

    @classmethod
    def of(cls, episode: Episode) -> Self:
        """The same."""
        return cls.model_validate(_fields(episode))


class WholeEpisodeShape(EpisodeShape):
    """An alert episode and the newest of its messages."""

    messages: PageShape[AlertShape] = Field(description="Newest first; `next` is for `/alerts/{alert_id}/messages`.")


class ReviewRequest(BaseModel):
    """A word on an episode."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"answer": "wrong", "note": "a poster behind the desk"}]}
    )

    answer: Answer = Field(description="`right`: the face was manipulated; `wrong`: it was not; `unsure`.")
    note: str | None = Field(default=None, max_length=2000, pattern=r"^[^\x00]*$", description="What was to be seen.")


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MOST_PER_PAGE, description="Items of a page.")
    cursor: str | None = Field(
        default=None, pattern="^[0-9A-Za-z_-]{1,64}$", description="`next` of the page before; opaque."
    )


class AlertPageQuery(AlertQuery, PageQuery):
    """Which episodes, and which page of them."""


def alert_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["alerts"])

    @router.get("/alerts", responses=declared(), summary="Alert episodes, newest first")
    async def alerts(
        asking: Asking, request: Request, response: Response, query: Annotated[AlertPageQuery, Query()]
    ) -> PageShape[EpisodeShape]:
        found = await actions.alerts.find(asking, query.asked(), query.limit, query.cursor)
        link(request, response, found.following)
        return PageShape(items=[EpisodeShape.of(episode) for episode in found.items], next=found.following)

    @router.get("/alerts.ndjson", responses={**declared(), **NDJSON}, summary="All of them, one a line")
    async def ndjson(asking: Asking, query: Annotated[AlertQuery, Query()]) -> Response:
        return streamed(json_lines(await _exported(asking, query), EpisodeShape.of), "ndjson")

    @router.get("/alerts.csv", responses={**declared(), **CSV}, summary="All of them as a table")
    async def csv(asking: Asking, query: Annotated[AlertQuery, Query()]) -> Response:
        return streamed(csv_lines(await _exported(asking, query)), "csv")

    async def _exported(asking: Principal, query: AlertQuery) -> AsyncIterator[list[Episode]]:
        return await actions.alerts.export(asking, query.asked())

    @router.get("/alerts/{alert_id}", responses=declared(404), summary="One episode")
    async def alert(asking: Asking, alert_id: AlertId) -> WholeEpisodeShape:
        whole = await actions.alerts.one(asking, alert_id)
        messages = PageShape(
            items=[AlertShape.of(message) for message in whole.messages.items], next=whole.messages.following
        )
        return WholeEpisodeShape.model_validate({**_fields(whole.episode), "messages": messages})

    @router.get("/alerts/{alert_id}/messages", responses=declared(404), summary="Its messages, newest first")
    async def messages(
        asking: Asking, request: Request, response: Response, alert_id: AlertId, query: Annotated[PageQuery, Query()]
    ) -> PageShape[AlertShape]:
        found = await actions.alerts.messages(asking, alert_id, query.limit, query.cursor)
        link(request, response, found.following)
        return PageShape(items=[AlertShape.of(message) for message in found.items], next=found.following)

    @router.post(
        "/alerts/{alert_id}/reviews",
        responses=declared(400, 404, 413),
        summary="Say whether it was right",
        status_code=201,
    )
    async def review(asking: Asking, alert_id: AlertId, body: ReviewRequest) -> EpisodeShape:
        return EpisodeShape.of(await actions.alerts.review(asking, alert_id, body.answer, body.note))

    return router


def _fields(episode: Episode) -> dict[str, object]:
    reviewed, latest = episode.reviewed, episode.latest
    return {
        "alert_id": episode.alert_id,
        "stream": episode.raised.stream,
        "track": episode.raised.track,
        "state": episode.state,
        "raised_at": time(episode.raised.at),
        "cleared_at": time(latest.at) if episode.state == "cleared" else None,
        "peak_evidence": episode.peak_evidence,
        "message_count": episode.count,
        "raised": AlertShape.of(episode.raised),
        "latest": AlertShape.of(latest),
        "answer": None if reviewed is None else reviewed.answer,
        "contradiction": None if reviewed is None else reviewed.contradiction,
        "reviews": [ReviewShape.of(review) for review in episode.reviews],
    }


def link(request: Request, response: Response, cursor: str | None) -> None:
    """Tells where the next page is; nothing where there is none."""
    if cursor is not None:
        following = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
