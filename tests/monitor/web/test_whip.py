"""WHIP over a real server on loopback, with a real reader behind it, and aiortc as publisher."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.monitor.ingest.webrtc.watching import Watched
from tests.monitor.web.whip_service import TOKEN, Service
from tests.waiting import PATIENCE_S, wait_until
from tests.webrtc_client import SDP, Publisher, without_candidates


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Watched() as watched:
        running = Service(watched)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def offer() -> Iterator[str]:
    with Publisher() as publisher:
        yield publisher.offer


def test_publishing_and_leaving(service: Service) -> None:
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


def test_offers_without_candidates_as_obs_sends_them(service: Service) -> None:
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
    service: Service, offer: str, change: object, status: int, said: str
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
    service: Service, method: str, path: str, status: int, header: tuple[str, str] | None
) -> None:
    answer = httpx.request(method, service.url + path, headers={"Content-Type": "text/plain"})
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    if header is not None:
        assert answer.headers[header[0]] == header[1]


def test_a_page_of_another_site_cannot_publish(service: Service, offer: str) -> None:
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
def test_who_may_publish(service: Service, stream: str, headers: dict[str, str], status: int) -> None:
    """400 is what somebody gets who may: the offer is none."""
    encoded = [(name.encode(), value.encode()) for name, value in {**SDP, **headers}.items()]
    answer = httpx.post(f"{service.url}/whip/{stream}", content="none", headers=encoded)
    assert answer.status_code == status
    assert TOKEN not in answer.text


def test_with_users_nobody_publishes_who_is_none(service: Service) -> None:
    locked = Service(service.watched, locked=True)
    try:
        url = f"{locked.url}/whip/call"
        assert httpx.post(url, content="none", headers=SDP).status_code == 401
        # Nor learns who there is.
        assert httpx.post(f"{locked.url}/whip/nobody", content="none", headers=SDP).status_code == 401
        assert httpx.post(url, content="none", headers={**SDP, "X-Role": "operator"}).status_code == 400
    finally:
        locked.stop()


def test_a_body_that_does_not_come_is_not_waited_for(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.web.whip._BODY_S", 0.3)
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as slow:
        slow.sendall(
            b"POST /whip/call HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 1000\r\n\r\nv=0\r\n"
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
    assert httpx.get(f"{service.url}/healthz").status_code == 200


def test_whoever_goes_in_the_middle_of_a_body_leaves_no_traceback(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE_S) as leaving:
        leaving.sendall(
            b"POST /whip/call HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/sdp\r\n"
            b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert leaving.recv(100).startswith(b"HTTP/1.1 100 ")  # it is being read
    for _ in range(3):
        assert httpx.get(f"{service.url}/healthz").status_code == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]
