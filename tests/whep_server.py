"""A small media server: aiortc behind WHEP, on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import Self

import uvicorn
from aiortc import RTCPeerConnection, RTCSessionDescription
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.webrtc_client import Film, LoopThread, connection


class WhepServer:
    """Plays to whoever asks; usable as a context manager.

    Args:
        token: without which it refuses; None: it takes everybody.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.asked: list[tuple[str, str | None]] = []
        """Paths of all offers, with what authorised them."""
        self.left: list[str] = []
        """Sessions that were ended by DELETE."""
        self.film = Film()
        self._connections: dict[str, RTCPeerConnection] = {}
        self._threads = LoopThread()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        routes = [
            Route("/whep/lobby", self._play, methods=["POST"]),
            Route("/session/{session}", self._leave, methods=["DELETE"]),
            Route("/moved", lambda _: RedirectResponse("/whep/lobby", 307), methods=["POST"]),
            Route("/elsewhere", lambda _: RedirectResponse("/whep/lobby", 301), methods=["POST"]),
            Route("/circle", lambda _: RedirectResponse("/circle", 307), methods=["POST"]),
            Route("/page", lambda _: PlainTextResponse("<html>"), methods=["POST"]),
            Route("/nonsense", lambda _: Response("v=0", 201, media_type="application/sdp"), methods=["POST"]),
            Route("/flood", lambda _: Response("a" * 10**6, 201, media_type="application/sdp"), methods=["POST"]),
            Route("/busy", lambda _: PlainTextResponse("too many viewers", 503), methods=["POST"]),
            Route("/away", self._away, methods=["POST"]),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._serving = asyncio.run_coroutine_threadsafe(self._server.serve([self._socket]), self._threads.loop)
        self.away_to = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self._server.should_exit = True
        self._serving.result(20)
        self._threads.stop()

    def url(self, path: str = "/whep/lobby") -> str:
        return f"whep+http://127.0.0.1:{self.port}{path}"

    def drop(self) -> None:
        """Ends every connection, as a server that restarts."""

        async def close() -> None:
            while self._connections:
                await self._connections.popitem()[1].close()

        self._threads.run(close())

    async def _play(self, request: Request) -> Response:
        authorization = request.headers.get("authorization")
        self.asked.append((request.url.path, authorization))
        if self.token is not None and authorization != f"Bearer {self.token}":
            return PlainTextResponse("who are you?", 401)
        made = connection()
        name = str(len(self.asked))
        self._connections[name] = made
        await made.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        self.film = Film()  # aiortc stops the one that it has sent
        made.addTrack(self.film)
        await made.setLocalDescription(await made.createAnswer())
        headers = {"Location": f"../session/{name}"}
        return Response(made.localDescription.sdp, 201, headers, media_type="application/sdp")

    async def _leave(self, request: Request) -> Response:
        session = request.path_params["session"]
        self.left.append(session)
        made = self._connections.pop(session, None)
        if made is not None:
            await made.close()
        return Response()

    async def _away(self, _: Request) -> Response:
        return RedirectResponse(self.away_to, 307)
