"""An HTTP server on loopback before one stream that is published to."""

from __future__ import annotations

import asyncio
import itertools
import threading
from concurrent.futures import Future

from fastapi.responses import HTMLResponse
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access import Principal, Role
from monitor.actions.publishing import Publishing
from monitor.answers import Answers
from monitor.messages import Leave, Offer, Reply
from monitor.stream_config import StreamConfig
from monitor.web import Health, WebServer, create_app
from monitor.web_config import WebConfig
from monitor.webrtc_config import IceServer
from tests.monitor.ingest.webrtc.watching import Watched
from tests.waiting import PATIENCE_S

TOKEN = "open sesame"
HEALTHY = Health(ready=True, encoder="ok", store="ok", mqtt="connected", streams={})
ROLES: dict[str, Role] = {"viewer": "viewer", "operator": "operator"}


class _Known:
    """What comes before the routes: knows somebody by a header, as by a session's cookie, or where it is open all."""

    def __init__(self, app: ASGIApp, *, locked: bool) -> None:
        self._app = app
        self._locked = locked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._locked:
            scope.pop("principal", None)
        for name, value in scope.get("headers", []):
            if name == b"x-role":
                role, _, streams = value.decode().partition(" ")
                scope["principal"] = Principal("ann", ROLES[role], frozenset(streams.split()) if streams else None)
        await self._app(scope, receive, send)


class Service:
    """Serves `/whip/call` and others, and a page of the same site."""

    def __init__(self, watched: Watched, *, locked: bool = False, page: str = "") -> None:
        self.watched = watched
        numbers = itertools.count(1)
        self._answers: Answers[Reply] = Answers(numbers)
        streams = {
            name: StreamConfig.model_validate({"name": name, **settings})
            for name, settings in {
                "call": {"url": "whip:"},
                "guarded": {"url": "whip:", "token": TOKEN},
                "lobby": {"url": "file:x.mp4"},
            }.items()
        }
        servers = [
            IceServer.model_validate({"urls": ["stun:stun.example:3478"]}),
            IceServer.model_validate({"urls": ["turn:turn.example"], "username": 'a"b', "credential": "c\\d"}),
        ]
        publishing = Publishing(self, streams.get, servers, locked=locked)
        app = create_app(WebConfig(), lambda: HEALTHY, CollectorRegistry(), publishing=publishing)
        app.user_middleware.append(Middleware(_Known, locked=locked))  # the innermost
        app.add_api_route("/page", lambda: HTMLResponse(page))
        self._web = WebServer(WebConfig(port=0))
        self.port = self._web.port
        self.url = self._web.url
        self._thread = threading.Thread(target=lambda: asyncio.run(self._web.run(app)))
        self._thread.start()

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        number, answer = self._answers.expect()
        self.watched.reader.publish(Offer(stream, number, session, sdp))
        self._pass_on()
        return answer

    def leave(self, stream: str, session: str) -> Future[Reply]:
        number, answer = self._answers.expect()
        self.watched.reader.publish(Leave(stream, number, session))
        self._pass_on()
        return answer

    def stop(self) -> None:
        self._web.stop()
        self._thread.join(20)

    def _pass_on(self) -> None:
        threading.Thread(
            target=lambda: self._answers.answer(self.watched.replies.get(timeout=PATIENCE_S)), daemon=True
        ).start()
