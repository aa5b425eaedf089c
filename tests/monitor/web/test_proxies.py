"""What forwarding headers do, from a proxy that is trusted and from everybody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from monitor.web.proxies import TrustedProxies, client_address
from tests.monitor.web.gated import ADMIN, cookie_of, log_in, served

pytestmark = pytest.mark.anyio


async def seen(
    client: str, headers: list[tuple[str, str]], proxies: tuple[str, ...], kind: str = "http"
) -> dict[str, Any]:
    """What the application sees of a request."""
    got: dict[str, Any] = {}

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        got["client"], got["scheme"] = client_address(scope), scope["scheme"]
        got["headers"] = {name.decode(): value.decode() for name, value in scope["headers"]}

    async def nothing(*_: Message) -> Any: ...

    raw = [(b"host", b"inside:8080"), *((name.lower().encode(), value.encode()) for name, value in headers)]
    scope = {"type": kind, "client": (client, 1234), "scheme": {"http": "http"}.get(kind, "ws"), "headers": raw}
    await TrustedProxies(app, proxies)(scope, nothing, nothing)
    return got


FORWARDED = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "monitor.example"),
]


async def test_a_trusted_proxy_is_believed() -> None:
    got = await seen("10.1.2.3", FORWARDED, ("10.1.0.0/16",))
    assert (got["client"], got["scheme"], got["headers"]["host"]) == ("203.0.113.9", "https", "monitor.example")
    assert (await seen("::ffff:10.1.2.3", FORWARDED, ("10.1.0.0/16",)))["client"] == "203.0.113.9"
    assert (await seen("10.1.2.3", FORWARDED, ("10.1.2.3",), "websocket"))["scheme"] == "wss"


@pytest.mark.parametrize("proxies", [(), ("10.9.0.0/16",)])
async def test_nobody_else_is_and_what_they_said_is_gone(proxies: tuple[str, ...]) -> None:
    extra = [("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9"), ("X-Forwarded-Prefix", "/evil")]
    got = await seen("10.1.2.3", FORWARDED + extra, proxies)
    assert (got["client"], got["scheme"]) == ("10.1.2.3", "http")
    assert got["headers"] == {"host": "inside:8080"}


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the client has put the first one there itself
        ("1.1.1.1, 203.0.113.9, 10.1.0.7", "203.0.113.9"),
        ("10.1.0.8, 10.1.0.7", "10.1.0.8"),
        ("203.0.113.9:5555", "203.0.113.9"),
        ("[2001:db8::1]:5555", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("1.1.1.1, nonsense", "10.1.2.3"),
        ("1.1.1.1, nonsense, 10.1.0.7", "10.1.0.7"),
        ("<script>", "10.1.2.3"),
        ("", "10.1.2.3"),
        (",,", "10.1.2.3"),
    ],
)
async def test_the_last_address_that_is_not_ours_is_the_clients(told: str, client: str) -> None:
    assert (await seen("10.1.2.3", [("X-Forwarded-For", told)], ("10.1.0.0/16",)))["client"] == client


async def test_several_lines_are_one_list_and_several_schemes_or_hosts_are_none() -> None:
    lines = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.9")]
    assert (await seen("10.1.2.3", lines, ("10.1.2.3",)))["client"] == "203.0.113.9"
    twice = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "a, b")]
    got = await seen("10.1.2.3", twice, ("10.1.2.3",))
    assert (got["scheme"], got["headers"]["host"]) == ("http", "inside:8080")
    assert (await seen("10.1.2.3", [("X-Forwarded-Proto", "gopher")], ("10.1.2.3",)))["scheme"] == "http"


async def test_behind_a_proxy_that_speaks_https_the_cookie_is_secure_and_the_log_tells_who_it_was(
    tmp_path: Path,
) -> None:
    through = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "monitor.example"}
    web: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"], "public_url": "https://monitor.example"}
    async with served(tmp_path, **web) as site:
        await site.add_user("anna")
        browser = await site.client(headers=through)
        answer = await log_in(browser, "anna", Origin="https://monitor.example")
        assert answer.status_code == 303
        line = cookie_of(answer)
        assert line.startswith("__Host-gend-session=")
        assert "; Secure" in line
        assert site.accounts is not None
        *_, login = await site.accounts.audit(ADMIN, "cli", 9)
        assert (login.action, login.source) == ("login", "203.0.113.9")
        # The same people without HTTPS: no password is taken, and no cookie or token believed.
        clear = {**through, "X-Forwarded-Proto": "http"}
        refused = await log_in(await site.client(headers=clear), "anna", Origin="http://monitor.example")
        assert (refused.status_code, "without HTTPS" in refused.text) == (403, True)
        token = await site.token("ci")
        assert (await (await site.client(headers=clear)).get("/metrics", headers=token)).status_code == 401
        assert (await (await site.client(headers=through)).get("/metrics", headers=token)).status_code == 200
        # A proxy that says nothing of its clients looks like this machine, but for what they have asked for.
        silent = await site.client(headers={"Host": "monitor.example"})
        assert (await log_in(silent, "anna", Origin="http://monitor.example")).status_code == 403
        assert (await silent.get("/metrics", headers=token)).status_code == 401
        # Hosts and origins are looked at as they were before the proxy.
        foreign = await site.client(headers={**through, "X-Forwarded-Host": "evil.example"})
        assert (await foreign.get("/healthz")).status_code == 421


async def test_who_is_no_proxy_cannot_choose_their_address_to_guess_on(tmp_path: Path) -> None:
    async with served(tmp_path, trusted_proxies=["192.0.2.1"]) as site:
        browser = await site.client()
        answers = [
            await log_in(browser, f"user{number}", "wrong password", X_Forwarded_For=f"203.0.113.{number}")
            for number in range(10)
        ]
        assert 429 in [answer.status_code for answer in answers]
        assert site.accounts is not None
        sources = {entry.source for entry in await site.accounts.audit(ADMIN, "cli", 20)}
        assert sources == {"127.0.0.1"}
