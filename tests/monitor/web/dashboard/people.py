"""Users of a service that is looked at in a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Page

from monitor.access import Principal, Role
from monitor.web import opened_gate
from monitor.web_config import WebConfig
from tests.monitor.access.cheap import CHEAP, PASSWORD

_ADMIN = Principal("cli:tests", "admin")
_WEB = WebConfig.model_validate({"auth": "users"})


def run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: Playwright has an event loop in that of the tests."""
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, work).result()


async def add_users(url: str, users: dict[str, tuple[Role, frozenset[str] | None]]) -> None:
    """Adds users with their role and the streams that they may see, while a service runs or not."""
    async with opened_gate(_WEB, url, hasher=CHEAP) as gate:
        assert gate is not None
        for name, (role, streams) in users.items():
            await gate.accounts.add_user(_ADMIN, "cli", name, role=role, password=PASSWORD, streams=streams)


async def make_viewer(url: str, name: str) -> None:
    """Takes from one of them what only operators may."""
    async with opened_gate(_WEB, url, hasher=CHEAP) as gate:
        assert gate is not None
        await gate.accounts.set_role(_ADMIN, "cli", name, role="viewer")


def log_in(page: Page, url: str, name: str, path: str) -> None:
    """Goes to a page as somebody who is asked for a password there."""
    page.goto(url + path)
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}{path}")
