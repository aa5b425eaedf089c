"""Who asks, for routes: `who: Asking`, then an action that takes a principal."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, WebSocketException
from fastapi.requests import HTTPConnection

from monitor.access import Principal
from monitor.web.identify import LOGIN_PATH

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="gend-monitor"'}
_POLICY_VIOLATION = 1008


def asking(connection: HTTPConnection) -> Principal:
    """Who asks.

    Raises:
        HTTPException: 401, as nobody is known.
        WebSocketException: the same at a handshake, which is refused by it.
    """
    principal = connection.scope.get("principal")
    if isinstance(principal, Principal):
        return principal
    if connection.scope["type"] == "websocket":
        raise WebSocketException(_POLICY_VIOLATION, "log in, or present a token")
    raise HTTPException(401, "log in, or present a token", _CHALLENGE)


def asking_at_page(connection: HTTPConnection) -> Principal:
    """Who asks for a page; who is not known is sent to log in, and comes back.

    Raises:
        HTTPException: 303, the way to the login.
    """
    principal = connection.scope.get("principal")
    if isinstance(principal, Principal):
        return principal
    raise HTTPException(303, headers={"Location": login_address(connection.url.path, connection.url.query)})


def login_address(path: str, query: str) -> str:
    """Where one logs in, and comes back from to a page with that query."""
    back = f"{path}?{query}" if query else path
    return f"{LOGIN_PATH}?next={quote(back, safe='')}"


Asking = Annotated[Principal, Depends(asking)]
