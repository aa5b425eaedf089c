"""The style and scripts of our own that pages load beside NiceGUI's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

_FOLDER = "dashboard_assets"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def asset_routes() -> APIRouter:
    """`/assets/dashboard/…`, which tells nothing of anybody, and may be read by all."""
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/dashboard/{name}")
    async def asset(name: str) -> Response:
        media_type = _TYPES.get(name[name.rfind(".") :])
        if media_type is None or name not in _names():
            raise HTTPException(404)
        return Response(_content(name), media_type=media_type)

    return router


@cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in files("monitor.web").joinpath(_FOLDER).iterdir())


@cache
def _content(name: str) -> bytes:
    return files("monitor.web").joinpath(_FOLDER, name).read_bytes()
