"""The API as a client sees it, asked by whomever a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.access import LOCAL, Principal
from monitor.actions import Actions
from monitor.web.api import create_api
from tests.monitor.actions.acting import Acting, acting


class As:
    """ASGI middleware that says who asks."""

    def __init__(self, app: ASGIApp, principal: Principal | None) -> None:
        self._app, self._principal = app, principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "principal": self._principal}, receive, send)


def client(actions: Actions, principal: Principal | None = LOCAL) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(As(create_api(actions), principal), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")


@asynccontextmanager
async def asked(
    folder: Path, principal: Principal | None = LOCAL, **sections: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Acting]]:
    async with acting(folder, **sections) as parts, client(parts.actions, principal) as http:
        yield http, parts
