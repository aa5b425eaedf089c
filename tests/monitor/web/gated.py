"""A service with users, over a real socket: `async with served(tmp_path) as site: … site.client() …`."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from monitor.access import Principal, Role
from monitor.actions import Actions
from monitor.actions.accounts import Accounts
from monitor.actions.publishing import Publishing
from monitor.figures import of_logins
from monitor.metrics import Sample, sample_registry
from monitor.web import Health, WebServer, create_app, opened_gate
from monitor.web_config import WebConfig
from tests.monitor.access.cheap import CHEAP, PASSWORD
from tests.monitor.store.examples import made

ADMIN = Principal("cli:tests", "admin")
HEALTH = Health(ready=True, encoder="ok", store="ok", mqtt="connected", streams={"lobby": "live", "gate": "live"})


@dataclass
class Clock:
    """The time of day as the service sees it."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def now_s(self) -> float:
        return time.monotonic() + self.ahead.total_seconds()


@dataclass
class Site:
    """A running service.

    Attributes:
        url: where it listens.
        accounts: its accounts, None without `auth`.
        verify: what a client trusts.
    """

    url: str
    accounts: Accounts | None
    clock: Clock
    app: FastAPI
    verify: ssl.SSLContext | bool = True
    clients: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def client(self, **options: Any) -> httpx.AsyncClient:
        """A browser without cookies that follows no redirects; closed with the site."""
        options = {"base_url": self.url, "verify": self.verify, "timeout": 30, **options}
        return await self.clients.enter_async_context(httpx.AsyncClient(**options))

    async def add_user(self, name: str, role: Role = "viewer", streams: frozenset[str] | None = None) -> None:
        assert self.accounts is not None
        await self.accounts.add_user(ADMIN, "cli", name, role=role, password=PASSWORD, streams=streams)

    async def token(self, name: str, role: Role = "viewer", **options: Any) -> dict[str, str]:
        """The header of a new token."""
        assert self.accounts is not None
        token = await self.accounts.create_token(ADMIN, "cli", name, role=role, **options)
        return {"Authorization": f"Bearer {token}"}

    async def logged_in(self, name: str) -> httpx.AsyncClient:
        """A browser whose user has logged in."""
        browser = await self.client()
        answer = await log_in(browser, name)
        assert answer.status_code == 303, answer.text
        return browser


async def log_in(
    browser: httpx.AsyncClient, name: str, password: str = PASSWORD, *, next_path: str = "/", **headers: str
) -> httpx.Response:
    """Sends the form as a browser does."""
    origin = str(browser.base_url).rstrip("/")
    return await browser.post(
        "/login",
        data={"name": name, "password": password, "next": next_path},
        headers={"Origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )


@contextlib.asynccontextmanager
async def served(
    folder: Path,
    *,
    add: Callable[[FastAPI], None] = lambda _: None,
    verify: ssl.SSLContext | bool = True,
    actions: Actions | None = None,
    publishing: Publishing | None = None,
    **web: Any,
) -> AsyncIterator[Site]:
    """Serves with users, unless `web` says otherwise.

    Args:
        folder: for the database, if there is none yet.
        add: further routes.
        verify: what clients trust.
        actions: what the API does.
        publishing: takes publishers.
        web: the configuration's section.
    """
    config = WebConfig.model_validate({"port": 0, "auth": "users", **web})
    there = (folder / "alerts.db").exists()
    url, clock = f"sqlite+aiosqlite:///{folder}/alerts.db" if there else await made(folder), Clock()
    async with (
        opened_gate(config, url, hasher=CHEAP, now=clock.now, clock_s=clock.now_s) as gate,
        contextlib.AsyncExitStack() as clients,
    ):
        logins = partial(of_logins, None if gate is None else gate.login)
        registry = sample_registry(lambda: [Sample("faces", "Faces.", "gauge", 2)], logins)
        app = create_app(config, lambda: HEALTH, registry, gate=gate, actions=actions, publishing=publishing)
        add(app)
        server = WebServer(config)
        serving = asyncio.create_task(server.run(app))
        try:
            yield Site(server.url, None if gate is None else gate.accounts, clock, app, verify, clients)
        finally:
            await clients.aclose()
            server.stop()
            await serving


def cookie_of(answer: httpx.Response) -> str:
    """The one Set-Cookie line."""
    (line,) = answer.headers.get_list("set-cookie")
    return str(line)


def field_of(page: str, name: str) -> str:
    """What a hidden field holds, as written in the page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]
