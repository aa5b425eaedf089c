"""What holds of every request to the API: HEAD is GET without a body, bodies are small, and nobody keeps answers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.access import Principal

MOST_BODY_BYTES = 65_536


class Wrapping:
    """ASGI middleware.

    Args:
        app: what is wrapped.
        most_upload_bytes: of a file that an operator sends to `/scores`; what is larger is refused (413), as is any
            other body of more than 64 KiB.
    """

    def __init__(self, app: ASGIApp, most_upload_bytes: int = 0) -> None:
        self._app = app
        self._most_upload = most_upload_bytes + MOST_BODY_BYTES  # with what stands around the file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # The server itself leaves the body away; what would never end looks at `head`.
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET", "head": True}
        # A body is read before anybody looks at who has sent it.
        principal = scope.get("principal")
        sender = isinstance(principal, Principal) and principal.may("operator")
        uploads = sender and scope["method"] == "POST" and scope["path"].endswith("/scores")
        most = self._most_upload if uploads else MOST_BODY_BYTES
        declared = Headers(scope=scope).get("content-length", "")
        received = int(declared) if declared.isdecimal() else 0

        async def counted() -> Message:
            nonlocal received
            if received > most:
                raise HTTPException(413, f"at most {most} bytes")
            message = await receive()
            if not declared:
                received += len(message.get("body", b""))
                if received > most:
                    raise HTTPException(413, f"at most {most} bytes")
            return message

        async def kept_by_nobody(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
                MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, counted, kept_by_nobody)
