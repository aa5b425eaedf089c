"""WHIP over a real server on loopback, with a real reader behind it, and aiortc as publisher."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access import Principal
from monitor.actions.publishing import Publishing
from monitor.answers import Answers
from monitor.config import StreamConfig, WebConfig
from monitor.messages import Leave, Offer, Reply
from monitor.web import Health, WebServer, create_app
from monitor.webrtc_config import IceServer
from tests.monitor.ingest.webrtc.watching import Watched
from tests.waiting import PATIENCE_S, wait_until
from tests.webrtc_client import SDP, Publisher, without_candidates

TOKEN = "open sesame"
HEALTHY = Health(ready=True, encoder="ok", store="ok", mqtt="connected", streams={})


class _Known:
    """What comes before the application: knows somebody by a header, as a session's cookie would."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", []):
            if name == b"x-role":
                role, _, streams = value.decode().partition(" ")
                scope["principal"] = Principal("ann", role, frozenset(streams.split()) if streams else None)
        await self._app(scope, receive, send)


class _Service:
    """An HTTP server before one stream."""

    def __init__(self, watched: Watched, *, locked: bool = False) -> None:
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
        app = create_app(WebConfig(), lambda: HEALTHY, CollectorRegistry(), publishing)
        app.add_middleware(_Known)
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


@pytest.fixture(scope="module")
def service() -> Iterator[_Service]:
    with Watched() as watched:
        running = _Service(watched)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def offer() -> Iterator[str]:
    with Publisher() as publisher:
        yield publisher.offer


def test_publishing_and_leaving(service: _Service) -> None:
    with Publisher(audio=True) as publisher, Publisher("H264") as second:
        taken = publisher.publish(f"{service.url}/whip/call")
        assert taken.status_code == 201
        assert taken.headers["content-type"].startswith("application/sdp")
        assert taken.headers["location"].startswith("/whip/call/")
        assert taken.headers["etag"]
        assert taken.headers.get_list("link") == [
            '<stun:stun.example:3478>; rel="ice-server"',
            '<turn:turn.example>; rel="ice-server"; username="a\\"b"; credential="c\\\\d"; credential-type="password"',
        ]
        assert "a=candidate:" in taken.text
        wait_until(lambda: service.watched.frames)
        service.watched.wait_for("live")

        refused = second.publish(f"{service.url}/whip/call")
        assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
        assert refused.json() == {"status": 409, "title": "Conflict", "detail": "somebody publishes to this stream"}

        assert publisher.session is not None
        assert httpx.patch(publisher.session, content="a=x", headers=SDP).status_code == 405
        assert httpx.delete(f"{service.url}/whip/call/another").status_code == 404
        assert httpx.delete(publisher.session).status_code == 200
        service.watched.wait_for("connecting", "no publisher")
        assert httpx.delete(publisher.session).status_code == 404


def test_offers_without_candidates_as_obs_sends_them(service: _Service) -> None:
    with Publisher("H264") as publisher:
        before = len(service.watched.frames)
        taken = publisher.publish(f"{service.url}/whip/call", offer=without_candidates(publisher.offer))
        assert taken.status_code == 201
        wait_until(lambda: len(service.watched.frames) > before)
        assert publisher.session is not None
        assert httpx.delete(publisher.session).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (lambda sdp: sdp.replace("VP8", "VP9"), 422, "VP8 or H.264 is needed"),
        (lambda sdp: sdp.replace("m=video", "m=audio"), 422, "no video"),
        (lambda sdp: "hello", 400, "v=0"),
        (lambda sdp: "", 400, "v=0"),
        (lambda sdp: b"\xff\xfe", 400, "UTF-8"),
        (lambda sdp: sdp + "a=x\r\n" * 20_000, 413, "65536 bytes"),
        (lambda sdp: iter([sdp.encode(), b"a=x\r\n" * 20_000]), 413, "65536 bytes"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_answered_in_one_clear_line(
    service: _Service, offer: str, change: object, status: int, said: str
) -> None:
    assert callable(change)
    answer = httpx.post(f"{service.url}/whip/call", content=change(offer), headers=SDP)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "header"),
    [
        ("OPTIONS", "/whip/call", 204, ("accept-post", "application/sdp")),
        ("PATCH", "/whip/call", 405, ("allow", "POST, OPTIONS")),
        ("GET", "/whip/call", 405, ("allow", "POST, OPTIONS")),
        ("GET", "/whip/call/abc", 405, ("allow", "DELETE, OPTIONS")),
        ("PATCH", "/whip/call/abc", 405, ("allow", "DELETE, OPTIONS")),
        ("OPTIONS", "/whip/call/abc", 204, ("allow", "DELETE, OPTIONS")),
        ("POST", "/whip/nobody", 404, None),
        ("POST", "/whip/lobby", 404, None),
        ("DELETE", "/whip/nobody/abc", 404, None),
        ("POST", "/whip/call", 415, ("accept-post", "application/sdp")),
        ("POST", "/whip/guarded", 401, ("www-authenticate", 'Bearer realm="whip"')),
        ("DELETE", "/whip/guarded/abc", 401, ("www-authenticate", 'Bearer realm="whip"')),
    ],
)
def test_methods_and_places_are_as_in_rfc_9725(
    service: _Service, method: str, path: str, status: int, header: tuple[str, str] | None
) -> None:
    answer = httpx.request(method, service.url + path, headers={"Content-Type": "text/plain"})
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    if header is not None:
        assert answer.headers[header[0]] == header[1]


def test_a_page_of_another_site_cannot_publish(service: _Service, offer: str) -> None:
    foreign = {**SDP, "Origin": "https://elsewhere.example"}
    assert httpx.post(f"{service.url}/whip/call", content=offer, headers=foreign).status_code == 403


@pytest.mark.parametrize(
    ("stream", "headers", "status"),
    [
        ("guarded", {}, 401),
        ("guarded", {"Authorization": "Bearer wrong"}, 401),
        ("guarded", {"Authorization": "Bearer öffne"}, 401),
        ("guarded", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("guarded", {"Authorization": f"Bearer {TOKEN}"}, 400),
        ("guarded", {"X-Role": "viewer"}, 403),
        ("guarded", {"X-Role": "operator"}, 400),
        ("guarded", {"X-Role": "operator lobby"}, 404),
        ("guarded", {"X-Role": "viewer", "Authorization": f"bearer  {TOKEN}"}, 400),
        ("call", {"X-Role": "viewer"}, 403),
        ("call", {"X-Role": "operator call"}, 400),
    ],
)
def test_who_may_publish(service: _Service, stream: str, headers: dict[str, str], status: int) -> None:
    """400 is what somebody gets who may: the offer is none."""
    encoded = [(name.encode(), value.encode()) for name, value in {**SDP, **headers}.items()]
    answer = httpx.post(f"{service.url}/whip/{stream}", content="none", headers=encoded)
    assert answer.status_code == status
    assert TOKEN not in answer.text


def test_with_users_nobody_publishes_who_is_none(service: _Service) -> None:
    locked = _Service(service.watched, locked=True)
    try:
        url = f"{locked.url}/whip/call"
        assert httpx.post(url, content="none", headers=SDP).status_code == 401
        assert httpx.post(url, content="none", headers={**SDP, "X-Role": "operator"}).status_code == 400
    finally:
        locked.stop()


def test_a_body_that_does_not_come_is_not_waited_for(service: _Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.whip._BODY_S", 0.3)
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as slow:
        slow.sendall(
            b"POST /whip/call HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 1000\r\n\r\nv=0\r\n"
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert httpx.get(f"{service.url}/healthz").status_code == 200
