"""Routes of what a stream shows now."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from monitor import payloads
from monitor.actions import Actions, NotFoundError
from monitor.actions.pictures import Watching
from monitor.web.api.event_stream import EventStream
from monitor.web.api.problems import declared
from monitor.web.api.streams import InPath
from monitor.web.asking import Asking

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JPEG.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}
_FACES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `faces`, up to twice a second, with the box of each face in pixels of the "
        "frame, the verdict on it and why it was last unfit to be scored; `status`, as in `/events`, when it changes.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def picture_routes(actions: Actions) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["live"])

    @router.get(
        "/streams/{stream}/preview.jpg",
        responses={**declared(404, 503), **_PICTURE},
        response_class=Response,
        summary="What it shows now",
    )
    async def preview(asking: Asking, stream: InPath) -> Response:
        picture = await actions.pictures.newest(asking, stream)
        if picture is None:
            raise NotFoundError(f"no picture comes from {stream} now")
        return Response(picture.jpeg, media_type="image/jpeg")

    @router.get(
        "/streams/{stream}/faces",
        responses={**declared(404, 503), **_FACES},
        response_class=Response,
        summary="Its faces as they move",
    )
    async def faces(asking: Asking, stream: InPath) -> Response:
        watching = actions.pictures.watch(asking, stream)
        return EventStream(_told(watching), watching.close)

    return router


async def _told(watching: Watching) -> AsyncGenerator[str]:
    said = ""
    while not watching.over:
        faces, status = await watching.next()
        if status is not None and (now := payloads.stream_status(status)) != said:
            said = now
            yield f"event: status\ndata: {now}\n\n"
        if faces is not None:
            yield f"event: faces\ndata: {json.dumps(asdict(faces))}\n\n"
