"""Finds out who asks, before any route: by the cookie of a session, or by a token.

Puts a `Principal` into `scope["principal"]`, and into `scope["holds"]` what tells later whether it still is the same.
Where nobody is known, both are left out, and routes answer 401. Requests by cookie that change something must bring
along the session's CSRF token too, since browsers send cookies whoever has made them ask; a token is sent by nobody but
who has it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access import LOCAL
from monitor.access.fingerprints import TOKEN_PREFIX, same
from monitor.errors import StoreError
from monitor.web.gate import Gate
from monitor.web.guard import host_name
from monitor.web.proxies import client_address
from monitor.web_config import is_loopback

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
LOGIN_PATH = "/login"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000


class Identify:
    """ASGI middleware.

    Args:
        app: what is asked.
        gate: knows users and tokens; None where there are none, and whoever reaches the service is `LOCAL`.
    """

    def __init__(self, app: ASGIApp, gate: Gate | None) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on with its principal, or refuses what browsers were made to ask."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif self._gate is None:
            await self._app({**scope, "principal": LOCAL}, receive, send)
        else:
            await self._identify(self._gate, scope, receive, send)

    async def _identify(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            known = await known_by(gate, scope)
        except StoreError:
            await _refuse(scope, receive, send, 503, "accounts cannot be looked up now; see the service's log")
            return
        if "csrf" in known and scope["type"] == "http" and scope["method"] not in _READS:
            given, receive = await _given_csrf(scope, receive)
            if not same(given, known["csrf"]):
                text = f"send the session's CSRF token as header {CSRF_HEADER} or form field {CSRF_FIELD}"
                await _refuse(scope, receive, send, 403, text)
                return

        async def holds() -> bool:
            """Whether who asked is still the same and may still the same; to be asked by what goes on for long."""
            try:
                now = await known_by(gate, scope, note=False)
            except StoreError:  # nobody is cut off because the database is away
                return True
            return now.get("principal") == known.get("principal")

        await self._app({**scope, **known, **({"holds": holds} if known else {})}, receive, send)


def is_private(scope: Scope) -> bool:
    """Whether nobody on the way can read along: HTTPS, or within this machine.

    A proxy on this machine that says nothing of its clients looks like one; but they have asked for another host.
    """
    if scope["scheme"] in {"https", "wss"}:
        return True
    return is_loopback(client_address(scope)) and is_loopback(host_name(Headers(scope=scope).get("host", "")))


def cookie_name(scope: Scope) -> str:
    """What our cookie is called. With `__Host-` a browser takes it from HTTPS and from this very host alone."""
    return "__Host-gend-session" if scope["scheme"] in {"https", "wss"} else "gend-session"


def session_id(scope: Scope) -> str | None:
    """The id of the session that the browser claims to have."""
    return HTTPConnection(scope).cookies.get(cookie_name(scope))


async def known_by(gate: Gate, scope: Scope, *, note: bool = True) -> Scope:
    """What is to be added to the scope: nothing, `principal`, or, with a session, `principal` and `csrf`.

    Args:
        gate: knows users and tokens.
        scope: of the request.
        note: whether this is a use of the session or token, by which they last longer.

    Raises:
        StoreError: the database does not answer.
    """
    if not is_private(scope):  # what was sent in clear is no secret any more
        return {}
    kind, _, secret = Headers(scope=scope).get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip().startswith(TOKEN_PREFIX):
        principal = await gate.tokens.find(secret.strip(), note=note)
        return {} if principal is None else {"principal": principal}
    claimed = session_id(scope)
    # The login has a proof of its own, and is nobody's: who was logged in before does not matter.
    if not claimed or (scope["path"] == LOGIN_PATH and scope.get("method") == "POST"):
        return {}
    session = await gate.sessions.find(claimed, note=note)
    return {} if session is None else {"principal": session.principal, "csrf": session.csrf}


async def _given_csrf(scope: Scope, receive: Receive) -> tuple[str, Receive]:
    """The token that came along, or an empty text; and how the body is read from now on."""
    headers = Headers(scope=scope)
    if (header := headers.get(CSRF_HEADER)) is not None:
        return header, receive
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return "", receive
    read: list[Message] = [await receive()]
    while read[-1].get("more_body", False):
        read.append(await receive())
    body = b"".join(message.get("body", b"") for message in read)
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        fields = {}
    unread = iter(read)

    async def again() -> Message:
        return next(unread, None) or await receive()

    return fields.get(CSRF_FIELD, [""])[-1], again


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1011, "reason": text})
    else:
        await PlainTextResponse(text + "\n", status)(scope, receive, send)
