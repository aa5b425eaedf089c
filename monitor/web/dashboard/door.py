"""Stands before NiceGUI: lets in who is known, and has browsers run nothing but our own scripts."""

from __future__ import annotations

import re
import secrets
from urllib.parse import parse_qs

from nicegui import Client
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access import Principal
from monitor.web.asking import login_address

_SOCKET = "/_nicegui_ws/"
_SCRIPT = re.compile(rb"<script(?=[\s>])")
_PAGE_HEADER = "X-NiceGUI-Content"
_POLICY_VIOLATION = 1008


def _policy(nonce: str) -> str:
    # Vue compiles its templates in the browser, and so needs `unsafe-eval`; Quasar sets styles of elements.
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; media-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )


class Door:
    """ASGI middleware inside NiceGUI's application, after everything that stands before all our routes.

    Who is not known is sent to log in. A socket is let in only for a page that was built for the same name: whoever
    learns the id of somebody else's page cannot act by it (`sockets.py` sees to it that it does not speak for another
    page later). One for a page that is not there any more goes on to NiceGUI, which has the browser load the page anew.

    Pages answer with a Content-Security-Policy whose nonce is put on the scripts of NiceGUI's template, in which all
    that comes from elsewhere is escaped: what gets into the page later, by whatever mistake, is not run.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass."""
        if scope["type"] == "websocket":
            if not _may_connect(scope):
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "log in"})
                return
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not isinstance(scope.get("principal"), Principal):
            await _refused(scope)(scope, receive, send)
        elif _path(scope).startswith(_SOCKET):
            # The same by long polling is left out: every request of it would have to prove itself, and none can.
            await PlainTextResponse("connect by WebSocket\n", 400)(scope, receive, send)
        else:
            await self._app(scope, receive, _Guarded(send))


class _Guarded:
    """Sends an answer on; a page's with its policy, and the nonce of it on each of its scripts."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _PAGE_HEADER in Headers(raw=message["headers"]):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(16)
        body = _SCRIPT.sub(f'<script nonce="{nonce}"'.encode(), bytes(self._body))
        headers = MutableHeaders(scope=start)
        headers["Content-Security-Policy"] = _policy(nonce)
        headers["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _refused(scope: Scope) -> RedirectResponse | PlainTextResponse:
    if scope["method"] in {"GET", "HEAD"} and not _path(scope).startswith("/_nicegui"):
        query = scope.get("query_string", b"").decode("latin-1")
        return RedirectResponse(login_address(scope["path"], query), 303)
    return PlainTextResponse("log in\n", 401)


def _may_connect(scope: Scope) -> bool:
    who = scope.get("principal")
    page_id = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("client_id", [""])[0]
    if not isinstance(who, Principal) or not page_id:
        return False
    if (page := Client.instances.get(page_id)) is None:
        return True
    built_for = page.request.scope.get("principal")
    return isinstance(built_for, Principal) and built_for.name == who.name
