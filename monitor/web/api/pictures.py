"""Routes of what a stream shows now."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.background import BackgroundTask

from monitor import payloads
from monitor.actions import Actions, NotFoundError
from monitor.actions.pictures import Watching
from monitor.web.api.problems import declared
from monitor.web.api.streams import InPath
from monitor.web.asking import Asking
from monitor.web.standing import Standing

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
    async def faces(asking: Asking, stream: InPath, request: Request) -> Response:
        watching = actions.pictures.watch(asking, stream)
        if request.scope.get("head"):
            watching.close()
            return Response(media_type="text/event-stream")
        return StreamingResponse(
            _told(watching, Standing(request.scope)),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
            background=BackgroundTask(watching.close),
        )

    return router


async def _told(watching: Watching, standing: Standing) -> AsyncIterator[str]:
    said = ""
    try:
        while not watching.over and await standing.lasts():
            faces, status = await watching.next()
            if status is not None and (now := payloads.stream_status(status)) != said:
                said = now
                yield f"event: status\ndata: {now}\n\n"
            # Of a moment without a picture something is told as well: it shows whether anybody listens.
            yield ": no picture\n\n" if faces is None else f"event: faces\ndata: {json.dumps(asdict(faces))}\n\n"
    finally:
        watching.close()
