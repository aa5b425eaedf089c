"""Two locks that even a loopback service needs: who may be asked for, and who may ask.

A page on any site can make a browser send requests to 127.0.0.1, and a name that an attacker controls can be
pointed at it (DNS rebinding). So the Host must be one of ours, and whatever is not a plain read must come from
our own pages.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_READS = frozenset({"GET", "HEAD"})


def host_name(authority: str) -> str:
    """The host of a Host header or authority, in lower case, without port or brackets; empty if malformed."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


class HostAndOriginGuard:
    """ASGI middleware that refuses foreign Hosts (421) and foreign Origins on anything but a read (403).

    Args:
        app: what is protected.
        hosts: host names under which the service is known, lower case.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a refused request itself and passes every other on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
        else:
            await PlainTextResponse(refusal[1] + "\n", status_code=refusal[0])(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if host_name(headers.get("host", "")) not in self._hosts:
            return 421, "this service does not answer to that Host; set web.public_url if it should"
        if scope["type"] == "http" and scope["method"] in _READS:
            return None
        origin = headers.get("origin")
        if origin is not None and not _is_ours(origin, headers["host"], scope["scheme"]):
            return 403, "requests from other sites are refused"
        return None


def _is_ours(origin: str, host: str, scheme: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    # Where we know that we are asked by HTTPS, a page that came in clear may be anybody's.
    secure = scheme in {"https", "wss"}
    return parts.netloc.lower() == host.lower() and (not secure or parts.scheme == "https")
