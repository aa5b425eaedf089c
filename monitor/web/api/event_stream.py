"""Server-sent events (WHATWG HTML, section 9.2), to a client that may be slow, or gone without a word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from monitor.web.standing import AGAIN_S, ended

_log = logging.getLogger("monitor.web")

HEARTBEAT_S = 15.0
_GONE_S = 30.0
"""Who has taken nothing for so long is let go; a browser comes back by itself and says what it has heard last."""
_RETRY_MS = 3000


class EventStream(Response):
    """Tells events until the client or the service goes, or whoever listens may no more.

    Args:
        events: each as it goes over the wire.
        close: ends what they come from; called once or twice at the end, whatever happens.
        heartbeat_s: after so long without an event a comment is sent, so that proxies keep the connection.
        gone_s: a client that takes nothing for so long is let go.
        again_s: after so long it is asked again whether who listens still may.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[str],
        close: Callable[[], None],
        *,
        heartbeat_s: float = HEARTBEAT_S,
        gone_s: float = _GONE_S,
        again_s: float = AGAIN_S,
    ) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"}, background=BackgroundTask(close))
        del self.headers["content-length"]
        self._events = events
        self._close = close
        self._heartbeat_s = heartbeat_s
        self._gone_s = gone_s
        self._again_s = again_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until one of both is gone."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if not scope.get("head"):
                leaving = asyncio.create_task(_gone(receive), name="listener leaves")
                telling = asyncio.create_task(self._tell(send), name="listener is told")
                ending = asyncio.create_task(ended(scope, self._again_s), name="listener is known")
                tasks = (telling, leaving, ending)
                over: set[asyncio.Task[None]] = set()
                try:
                    over, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    told, *_ = await asyncio.gather(*tasks, return_exceptions=True)
                self._raise(told)
                if told is not None and ending not in over:
                    return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._gone_s):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._close()

    async def _tell(self, send: Send) -> None:
        pieces = self._pieces()
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                async with asyncio.timeout(self._gone_s):
                    await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})

    async def _pieces(self) -> AsyncGenerator[str]:
        yield f"retry: {_RETRY_MS}\n\n"
        coming = asyncio.ensure_future(anext(self._events, None))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=self._heartbeat_s)
                if not done:
                    yield ": heartbeat\n\n"
                    continue
                each = coming.result()
                if each is None:
                    return
                yield each
                coming = asyncio.ensure_future(anext(self._events, None))
        finally:
            coming.cancel()
            await asyncio.wait([coming])
            await self._events.aclose()

    def _raise(self, error: object) -> None:
        if isinstance(error, TimeoutError):
            _log.info("a listener has taken nothing for %g s and is let go", self._gone_s)
        elif isinstance(error, Exception):
            raise error


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
