"""Who sends a request: a middleware has found out, and every route that does anything asks here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access import LOCAL, Principal


class LocalPrincipal:
    """ASGI middleware for a service without users: whoever reaches it sits at this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Names the principal and passes the request on."""
        await self._app({**scope, "principal": LOCAL}, receive, send)


def asking(request: Request) -> Principal:
    """Who sends the request. Raises HTTPException (401) where nobody has said so."""
    principal = request.scope.get("principal")
    if not isinstance(principal, Principal):
        raise HTTPException(401, "log in, or send a token", headers={"WWW-Authenticate": "Bearer"})
    return principal


Asking = Annotated[Principal, Depends(asking)]
