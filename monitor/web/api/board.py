"""The route of the board: every stream with its picture and faces, as they change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask

from monitor.actions import Actions
from monitor.actions.board import BoardWatcher
from monitor.config import STREAM_NAME
from monitor.web.api.problems import declared
from monitor.web.asking import Asking
from monitor.web.standing import Standing

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
        request: Request,
        stream: Annotated[str | None, Query(pattern=STREAM_NAME, description="Of this one alone.")] = None,
    ) -> Response:
        watcher = actions.board.watch(asking, stream)
        if request.scope.get("head"):
            watcher.close()
            return Response(media_type="text/event-stream")
        return StreamingResponse(
            _told(watcher, Standing(request.scope)),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
            background=BackgroundTask(watcher.close),
        )

    return router


async def _told(watcher: BoardWatcher, standing: Standing) -> AsyncIterator[str]:
    try:
        yield ": tiles follow\n\n"
        async for stream, tile in watcher:
            if not await standing.lasts():
                return
            if tile is None:
                yield f"event: gone\ndata: {json.dumps({'stream': stream})}\n\n"
            else:
                yield f"event: tile\ndata: {tile}\n\n"
    finally:
        watcher.close()
