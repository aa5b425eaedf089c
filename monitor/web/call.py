"""`/call/STREAM`: the page on which somebody shares a call, and sees what is held of each face; `/call` leads there."""

from __future__ import annotations

import html
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from monitor.access import ForbiddenError, Principal
from monitor.actions.publishing import Proof, Publishing, PublishingError
from monitor.web.asking import asking_at_page
from monitor.web.assets import asset, asset_routes

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOLDER = "call_page"
_PAGE = "call.html"
_CHOICE = "choice.html"
_HELD = "for ten minutes at the most, and then forgotten"
_HELD_OF_CALL = "for ten minutes at the most and never longer than your call lasts, and then forgotten"
_KEEPS = "Of an alert, evidence is kept: pictures of the face, and the seconds before."
_KEEPS_NOT = "No picture is written to disk, not even of an alert."

Known = Annotated[Principal, Depends(asking_at_page)]


def call_routes(publishing: Publishing) -> APIRouter:
    """The page, and what it is made of.

    Args:
        publishing: knows who may publish to which stream.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/call")
    async def choose(who: Known) -> Response:
        choices = publishing.choices(who)
        if not choices:
            return PlainTextResponse("there is no stream that you may publish to\n", 404)
        if len(choices) == 1:
            return RedirectResponse(f"/call/{choices[0]}", 303)
        # Names of streams have nothing in them that HTML or an address would take amiss.
        items = "".join(f'<li><a href="/call/{name}">{name}</a></li>' for name in choices)
        text = asset(_FOLDER, _CHOICE).decode().replace("{{choices}}", items)
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})

    @router.get("/call/{stream}")
    async def page(stream: str, who: Known, request: Request) -> Response:
        try:
            publishing.authorise(stream, Proof(principal=who))
        except PublishingError as error:
            return PlainTextResponse(f"{error}\n", 404 if error.cause == "unknown" else 403)
        except ForbiddenError as error:
            return PlainTextResponse(f"{error}\n", 403)
        text = asset(_FOLDER, _PAGE).decode()
        for name, value in {
            "stream": stream,
            "csrf": request.scope.get("csrf", ""),
            "calls": "many" if publishing.takes_calls(stream) else "one",
            "held": _HELD_OF_CALL if publishing.takes_calls(stream) else _HELD,
            "keeps": _KEEPS if publishing.keeps_evidence else _KEEPS_NOT,
        }.items():
            text = text.replace("{{" + name + "}}", html.escape(value))
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})

    router.include_router(asset_routes("call", _FOLDER))
    return router
