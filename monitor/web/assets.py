"""Files of pages that are shipped with us: styles, scripts and pictures, which tell nothing of anybody."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def asset_routes(name: str, folder: str) -> APIRouter:
    """`/assets/NAME/…`, which may be read by all.

    Args:
        name: of the pages that they belong to.
        folder: where they are, beside this module; what else is in it is not served.
    """
    router = APIRouter(include_in_schema=False)

    @router.get(f"/assets/{name}/{{name}}")
    async def serve(name: str) -> Response:
        media_type = _TYPES.get(name[name.rfind(".") :])
        if media_type is None or name not in _names(folder):
            raise HTTPException(404)
        return Response(asset(folder, name), media_type=media_type)

    return router


@cache
def asset(folder: str, name: str) -> bytes:
    """One file, read once."""
    return files("monitor.web").joinpath(folder, name).read_bytes()


@cache
def _names(folder: str) -> frozenset[str]:
    return frozenset(each.name for each in files("monitor.web").joinpath(folder).iterdir())
