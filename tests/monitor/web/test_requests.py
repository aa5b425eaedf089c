"""What stands before every route: headers, hosts, bodies, patience; and what nobody gets by strange requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from fastapi import FastAPI, Request

from monitor.web import patience
from monitor.web.bodies import BodyLimit, BodyLimits
from tests.monitor.web.gated import Site, served

pytestmark = pytest.mark.anyio

GIVEN_UP_S = 60


def routes(app: FastAPI) -> None:
    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("nobody expected this")


async def raw(site: Site, *parts: bytes, end: bool = True) -> bytes:
    """All that is answered to bytes as they are."""
    host, _, port = site.url.rpartition("/")[2].partition(":")
    async with asyncio.timeout(GIVEN_UP_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        for part in parts:
            writer.write(part)
            await writer.drain()
        if end:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
    return answer


def request(site: Site, target: str, method: str = "GET", *headers: str) -> bytes:
    host = site.url.partition("://")[2]
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def test_every_answer_tells_browsers_to_be_careful(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        browser = await site.client()
        answers = [
            await browser.get("/healthz"),
            await browser.get("/nothing"),
            await browser.get("/metrics"),
            await browser.get("/login"),
            await browser.get("/healthz", headers={"Host": "evil.example"}),
            await browser.post("/login", headers={"Origin": "http://evil.example"}),
            await browser.post("/echo", content=b"x" * 1_000_001),
            await browser.get("/broken"),
        ]
    assert [answer.status_code for answer in answers] == [200, 404, 401, 200, 421, 403, 413, 500]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
        assert "RuntimeError" not in answer.text


async def test_bodies_are_bounded_whatever_they_say_of_their_length(tmp_path: Path) -> None:
    async def pieces(number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 100_000

    async with served(tmp_path, add=routes) as site:
        browser = await site.client()
        assert (await browser.post("/echo", content=b"x" * 1_000_000)).json() == 1_000_000
        assert (await browser.post("/echo", content=pieces(10))).json() == 1_000_000
        assert (await browser.post("/echo", content=pieces(11))).status_code == 413
        huge = request(site, "/echo", "POST", "Content-Length: 99999999999", "Expect: 100-continue")
        told = await raw(site, huge, end=False)
        assert told.startswith(b"HTTP/1.1 413")
        assert b"at most 1000000 bytes" in told
        # As a form beside a session it is read by us, before the route.
        await site.add_user("anna")
        known = await site.logged_in("anna")
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await known.post("/echo", content=pieces(11), headers=form)).status_code == 413


async def test_who_hangs_up_in_the_midst_of_a_body_leaves_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path, add=routes) as site:
        for path in ("/echo", "/login"):
            half = request(site, path, "POST", "Content-Length: 100", "Sec-Fetch-Site: same-origin")
            assert await raw(site, half, b"name=anna") == b""
        assert (await (await site.client()).get("/healthz")).status_code == 200
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_a_body_that_does_not_come_is_given_up_and_one_route_may_wait_longer() -> None:
    ended = asyncio.Event()

    async def app(scope: object, receive: object, send: object) -> None:
        asking = Request(scope, receive)  # type: ignore[arg-type]
        assert await asking.body() == b"late"
        ended.set()

    async def late() -> dict[str, object]:
        await asyncio.sleep(0.2)
        return {"type": "http.request", "body": b"late"}

    sent: list[int] = []

    async def send(message: dict[str, int]) -> None:
        if message["type"] == "http.response.start":  # type: ignore[comparison-overlap]
            sent.append(message["status"])

    limits = BodyLimits(app, BodyLimit(max_s=0.01), {"/upload": BodyLimit(max_s=GIVEN_UP_S)})
    scope = {"type": "http", "method": "POST", "headers": []}
    await limits({**scope, "path": "/echo"}, late, send)  # type: ignore[arg-type]
    assert (sent, ended.is_set()) == ([408], False)
    await limits({**scope, "path": "/upload/7"}, late, send)  # type: ignore[arg-type]
    assert (sent, ended.is_set()) == ([408], True)


async def test_who_does_not_finish_the_headers_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_HEADERS_S", 0.3)
    async with served(tmp_path, add=routes) as site:
        assert await raw(site, end=False) == b""
        assert await raw(site, b"GET /healthz HTTP/1.1\r\nHost: ", end=False) == b""
        host = site.url.partition("://")[2]
        whole = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        kept = await slowly(site, whole, b"GET /healthz HT")
        assert kept.startswith(b"HTTP/1.1 200")
        # Who asks and waits for an answer is not: the body of this one comes after that time.
        post = f"POST /echo HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n".encode()
        assert b"HTTP/1.1 200" in await slowly(site, post, b"late")


async def slowly(site: Site, *parts: bytes) -> bytes:
    host, _, port = site.url.rpartition("/")[2].partition(":")
    async with asyncio.timeout(GIVEN_UP_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        for part in parts:
            writer.write(part)
            await writer.drain()
            await anyio.sleep(0.6)
        answer = await reader.read()
        writer.close()
    return answer


@pytest.mark.parametrize(
    "target",
    [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/login/../../etc/passwd",
        "/login%00",
        "/static/../../monitor.yaml",
        "//etc/passwd",
        "/.%2e/.env",
        "/healthz%0d%0aX-Evil:%201",
        "/%ff%fe",
    ],
)
async def test_paths_lead_nowhere_but_to_routes(tmp_path: Path, target: str) -> None:
    async with served(tmp_path) as site:
        answer = await raw(site, request(site, target))
    assert answer.partition(b"\r\n")[0].split()[1] in {b"404", b"400"}
    assert b"root:" not in answer
    assert b"x-evil" not in answer.lower().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: evil.example",),  # a second one
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: -1",),
        ("X-Long: " + "x" * 200_000,),
        ("X-Bad\x00: 1",),
        (" folded: 1", "\x0b: 2"),
    ],
)
async def test_requests_that_two_servers_would_read_differently_are_refused(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    async with served(tmp_path, add=routes) as site:
        try:
            answer = await raw(site, request(site, "/echo", "POST", *lines), b"abcd")
        except ConnectionError:  # hung up on before all of it was sent
            return
    assert answer.startswith(b"HTTP/1.1 4")


async def test_without_a_host_there_is_no_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert (await raw(site, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 421")
