"""The route of the board: every stream with its picture and faces, as they change."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from monitor.actions import Actions
from monitor.actions.board import BoardWatcher
from monitor.stream_config import STREAM_NAME
from monitor.web.api.event_stream import EventStream
from monitor.web.api.problems import declared
from monitor.web.asking import Asking

_TILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `tile`, up to twice a second and stream: `status` as of the stream, "
        "`alerting`, `faces` as of `/streams/{stream}/faces` and `jpeg`, the picture in base64, both null where none "
        "comes; `gone` with a `stream` that is watched no more.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def board_routes(actions: Actions) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["live"])

    @router.get(
        "/board", responses={**declared(404, 503), **_TILES}, response_class=Response, summary="All streams at a glance"
    )
    async def board(
        asking: Asking,
        stream: Annotated[str | None, Query(pattern=STREAM_NAME, description="Of this one alone.")] = None,
    ) -> Response:
        watcher = actions.board.watch(asking, stream)
        return EventStream(_told(watcher), watcher.close)

    return router


async def _told(watcher: BoardWatcher) -> AsyncGenerator[str]:
    async for stream, tile in watcher:
        if tile is None:
            yield f"event: gone\ndata: {json.dumps({'stream': stream})}\n\n"
        else:
            yield f"event: tile\ndata: {tile}\n\n"
