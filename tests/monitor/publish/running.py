"""Runs publishers in tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from monitor.mqtt_config import MqttConfig
from monitor.publish import MqttPublisher
from monitor.store import OutboxRow, Store
from tests.broker import listening


@asynccontextmanager
async def publishing(config: MqttConfig, store: Store) -> AsyncIterator[MqttPublisher[OutboxRow]]:
    publisher = MqttPublisher(config, store)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        await publisher.aclose()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object], timeout_s: float = 15) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def until_online(config: MqttConfig) -> None:
    """Waits until all that is said at the beginning of a connection is said."""
    async with listening(config, "gend/status") as inbox:
        await inbox.until(lambda inbox: inbox.on("gend/status")[-1:] == ["online"])


def short_pauses(monkeypatch: pytest.MonkeyPatch, longest_s: float) -> None:
    """Makes links wait no longer than this between their tries."""
    monkeypatch.setattr("monitor.publish.link.LONGEST_PAUSE_S", longest_s)
    monkeypatch.setattr("monitor.publish.link.LONGEST_FLAPPING_PAUSE_S", longest_s)
