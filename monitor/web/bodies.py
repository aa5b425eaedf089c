"""Bounds what a request may send: so many bytes, in so much time.

Both hold for whatever reads a body, forms and uploads alike, because they are where bodies come from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.api.problems import problem

_CLOSE = {"Connection": "close"}
_READ_ON_BYTES = 8_000_000
_READ_ON_S = 5.0
"""Who is hung up on while still sending never sees the answer; so a little more is read, and thrown away."""


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The most that the body of one request may be.

    Attributes:
        max_bytes: its length.
        max_s: seconds from the first look at it until its end.
    """

    max_bytes: int = 1_000_000
    max_s: float = 30.0


class BodyLimits:
    """ASGI middleware that answers 413 and 408.

    Args:
        app: whose requests these are.
        limit: of every path but those of `larger`.
        larger: limits by the beginning of the path, for routes that take more; the longest that fits counts.
    """

    def __init__(self, app: ASGIApp, limit: BodyLimit, larger: Mapping[str, BodyLimit]) -> None:
        self._app = app
        self._limit = limit
        self._larger = sorted(larger.items(), key=lambda item: len(item[0]), reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is within its limit as far as its headers tell, and watches what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((limit for start, limit in self._larger if scope["path"].startswith(start)), self._limit)
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy before us may go by the other one, and take the rest for somebody's next request.
            await _answer(HTTPException(400, "the length of the body is told twice", _CLOSE))(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit.max_bytes:
            if "expect" not in headers:  # then nothing was sent yet
                await _read_on(receive)
            await _answer(_too_large(limit))(scope, receive, send)
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, _bounded(receive, limit), noted)
        except ClientDisconnect:
            pass  # nobody is there to be answered; and strangers shall not fill the log with tracebacks
        except HTTPException as error:  # where a middleware reads the body; routes have answered it themselves
            if started:
                raise
            await _answer(error)(scope, receive, send)


def _bounded(receive: Receive, limit: BodyLimit) -> Receive:
    got = 0
    ended = False
    deadline_s: float | None = None

    async def bounded() -> Message:
        nonlocal got, ended, deadline_s
        if ended:  # what comes now is that the client is gone, and may take as long as it likes
            return await receive()
        if deadline_s is None:
            deadline_s = asyncio.get_running_loop().time() + limit.max_s
        try:
            async with asyncio.timeout_at(deadline_s):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {limit.max_s:g} s", _CLOSE) from None
        if message["type"] == "http.request":
            got += len(message.get("body", b""))
            if got > limit.max_bytes:
                if message.get("more_body", False):
                    await _read_on(receive)
                raise _too_large(limit)
        ended = not message.get("more_body", False)
        return message

    return bounded


async def _read_on(receive: Receive) -> None:
    left = _READ_ON_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READ_ON_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large(limit: BodyLimit) -> HTTPException:
    return HTTPException(413, f"a body has at most {limit.max_bytes} bytes here", _CLOSE)


def _answer(error: HTTPException) -> Response:
    return problem(error.status_code, error.detail, headers=error.headers)
