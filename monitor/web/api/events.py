"""The route of server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from monitor.actions import Actions
from monitor.actions.live import Following, Missed
from monitor.broadcast import NEWS_TYPES, NewsType
from monitor.web.api.event_stream import EventStream
from monitor.web.api.problems import declared
from monitor.web.asking import Asking
from monitor.web.stream_name import StreamName

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events `verdict`, `alert`, `event` and `status`, whose data are JSON as MQTT's "
        "(`status` with its `stream`), and `dropped` with `{dropped: n}`: so much was missed (null: nobody knows how "
        "much). The id of each is that of the last alert's message. A comment every 15 s.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def event_routes(actions: Actions) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["live"])

    @router.get("/events", responses={**declared(404), **_EVENTS}, response_class=Response, summary="News as it comes")
    async def events(
        asking: Asking,
        stream: Annotated[list[StreamName], Query(max_length=100, description="Of these streams; all.")] = [],  # noqa: B006
        types: Annotated[list[NewsType], Query(max_length=10, description="Of these types; all.")] = [],  # noqa: B006
        last_event_id: Annotated[
            str | None,
            Header(pattern="^[0-9A-Za-z_-]{0,64}$", description="Alerts that were recorded after it are told first."),
        ] = None,
    ) -> Response:
        following = await actions.live.follow(asking, stream, types or NEWS_TYPES, last_event_id or None)
        return EventStream(told(following), following.close)

    return router


async def told(following: Following) -> AsyncGenerator[str]:
    """News as events. Each has the id of the last alert, for alerts alone are told again to who was away."""
    async for news in following:
        last = f"id: {following.last_id}\n" if following.last_id else ""
        if isinstance(news, Missed):
            yield f"{last}event: dropped\ndata: {json.dumps({'dropped': news.news})}\n\n"
        else:
            yield f"{last}event: {news.type}\ndata: {news.data}\n\n"
