from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apprise  # noqa: F401 - it takes a while, and the service has it imported before its event loop runs
import pytest

from monitor.store import Store
from tests.monitor.store.examples import opened
from tests.webhook_receiver import Receiver


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(f"sqlite+aiosqlite:///{tmp_path}/alerts.db") as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are tried again at once, and after a tenth of a second at the latest."""
    for module in ("target", "refusals"):
        monkeypatch.setattr(f"monitor.notify.{module}._FIRST_PAUSE_S", 0.01)
        monkeypatch.setattr(f"monitor.notify.{module}._LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr("monitor.notify.target._BETWEEN_REFUSALS_S", 0.01)


@pytest.fixture
async def no_http() -> AsyncIterator[int]:
    """A port that answers with something else than HTTP."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port: int = server.sockets[0].getsockname()[1]
        yield port
