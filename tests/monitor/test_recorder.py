from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor import recorder as recorder_module
from monitor.errors import StoreError
from monitor.messages import Alert, ModelIdentity
from monitor.recorder import Recorder

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def alert(number: int) -> Alert:
    return Alert(
        f"id{number}", "episode", "raised", "", "s", "t", NOW, NOW, NOW, "fake", 20, 16, 9, 0.9, 0.1, None,
        calibrated=False, model=ModelIdentity("demo", "0", None, "torch", "fp32"),
    )  # fmt: skip


class FlakyStore:
    """A disk that is full for a while: the one fault that is not to be had at will."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.kept: list[Alert] = []

    async def record(self, alert: Alert, sinks: Sequence[str]) -> Alert:
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        self.kept.append(replace(alert, sequence=len(self.kept)))
        return self.kept[-1]


@pytest.mark.anyio
async def test_recorder_keeps_order_and_loses_nothing_while_the_store_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_FIRST_RETRY_S", 0.001)
    store, told = FlakyStore(failures=3), list[Alert]()
    recorder = Recorder(store, lambda _: ["mqtt"], told.append)
    running = asyncio.create_task(recorder.run())
    for number in range(5):
        recorder.put(alert(number))
    recorder.close()
    await asyncio.wait_for(running, 5)
    assert [kept.id for kept in store.kept] == ["id0", "id1", "id2", "id3", "id4"]
    assert [kept.sequence for kept in told] == [0, 1, 2, 3, 4]
    assert recorder.failure is None
    assert recorder.statistics().failures == 3


@pytest.mark.anyio
async def test_recorder_tries_once_more_when_the_end_is_near() -> None:
    store = FlakyStore(failures=4)
    recorder = Recorder(store, lambda _: ["mqtt"], lambda _: None)
    running = asyncio.create_task(recorder.run())
    recorder.put(alert(1))
    while recorder.statistics().failures < 4:  # now it would wait for longer than a stop can
        await asyncio.sleep(0.05)
    recorder.close()
    await asyncio.wait_for(running, 1)
    assert [kept.id for kept in store.kept] == ["id1"]


@pytest.mark.anyio
async def test_recorder_says_that_the_store_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    class HangingStore:
        async def record(self, alert: Alert, sinks: Sequence[str]) -> Alert:
            await asyncio.sleep(60)
            return alert

    monkeypatch.setattr(recorder_module, "_HANGS_S", 0.05)
    recorder = Recorder(HangingStore(), lambda _: ["mqtt"], lambda _: None)
    running = asyncio.create_task(recorder.run())
    recorder.put(alert(1))
    await asyncio.sleep(0.2)
    assert recorder.failure == "the store does not answer"
    running.cancel()


@pytest.mark.anyio
async def test_recorder_says_why_alerts_wait() -> None:
    recorder = Recorder(FlakyStore(failures=10**6), lambda _: ["mqtt"], lambda _: None)
    running = asyncio.create_task(recorder.run())
    recorder.put(alert(1))
    async with asyncio.timeout(5):
        while recorder.failure is None:
            await asyncio.sleep(0.01)
    assert recorder.failure == "disk full"
    assert recorder.statistics().waiting == 1
    running.cancel()


@pytest.mark.anyio
async def test_recorder_asks_for_each_alert_who_shall_receive_it() -> None:
    class Store:
        def __init__(self) -> None:
            self.sinks: list[Sequence[str]] = []

        async def record(self, alert: Alert, sinks: Sequence[str]) -> Alert:
            self.sinks.append(sinks)
            return alert

    store = Store()
    recorder = Recorder(store, lambda alert: ["mqtt", alert.id], lambda _: None)
    recorder.put(alert(1))
    recorder.put(alert(2))
    recorder.close()
    await asyncio.wait_for(recorder.run(), 5)
    assert store.sinks == [["mqtt", "id1"], ["mqtt", "id2"]]
