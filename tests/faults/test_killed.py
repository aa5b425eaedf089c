"""The service is killed at any moment between decision and broker: nothing is lost, doubled or left standing."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from monitor.store import AlertReader
from tests.broker import Inbox, Mosquitto, listening
from tests.faults.dying import Dying, Life, dying
from tests.faults.dying_service import SINK, STREAMS
from tests.faults.table import FaultTable
from tests.monitor.store.examples import an_alert, opened
from tests.ports import HOST

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

POINTS = ("committed", "acknowledged", "ticked")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


async def test_killed_at_any_moment_nothing_is_lost_or_doubled(
    url: str, broker: Mosquitto, faults: FaultTable, *, soak: bool
) -> None:
    kills = 200 if soak else 20
    async with listening(broker.config()) as inbox, dying() as service:
        lives: list[Life] = []
        start_s = 1.0
        for number in range(kills):
            # Spread over the start, and over running.
            share = (number // 2 + random.random()) / (kills // 2)
            kill_s, recorded = (share * 1.2 * start_s, 0) if number % 2 else (share * 0.3, 1)
            lives.append(await service.live(url, broker.url, "killed", kill_s=kill_s, recorded=recorded))
            start_s = lives[-1].first_s or start_s
        lives += [await service.live(url, broker.url, point) for point in POINTS]
        lives.append(await frozen_then_killed(service, url, broker))
        assert {life.status for life in lives} == {-9}
        database = url.partition("+")[0]
        with faults.recovery(f"kill -9, {len(lives)} times, {database}", "episodes cleared as `restarted`"):
            assert (await service.live(url, broker.url, "finish")).status == 0
            await until_all_have_come(inbox, broker)
    reader = await AlertReader.open(url)
    kept = await reader.alerts(10**6)
    await reader.aclose()

    recorded_ids = {id_: numbered for life in lives for id_, numbered in life.recorded().items()}
    assert recorded_ids.items() <= {alert.id: (alert.stream, alert.sequence) for alert in kept}.items()
    for stream in STREAMS:
        assert [alert.sequence for alert in kept if alert.stream == stream] == list(
            range(1, sum(alert.stream == stream for alert in kept) + 1)
        ), "sequence has holes"
    doubled = check_received(inbox, [(alert.stream, alert.id, alert.sequence) for alert in kept], deaths=len(lives))
    check_episodes(inbox)
    reached = Counter(life.reached for life in lives)
    faults.add(f"(killed after: {dict(reached)})", f"{len(kept)} alerts, {doubled} sent twice")


async def frozen_then_killed(service: Dying, url: str, broker: Mosquitto) -> Life:
    """Killed between publishing and acknowledgement, which a frozen broker does not give."""
    broker.pause()
    try:
        return await service.live(url, broker.url, "killed", kill_s=0.3, recorded=1)
    finally:
        broker.resume()


async def until_all_have_come(inbox: Inbox, broker: Mosquitto) -> None:
    """Waits for a message that the broker gets after all that it has acknowledged."""
    async with aiomqtt.Client(HOST, broker.port) as client:
        await client.publish("the/end", qos=1)
    await inbox.until(lambda inbox: inbox.messages[-1].topic.value == "the/end")


def received(inbox: Inbox, stream: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in inbox.on(f"gend/alerts/{stream}")]


def check_received(inbox: Inbox, kept: list[tuple[str, str, int | None]], deaths: int) -> int:
    """Every alert has come, in order; what came twice is the same message, and rare. Returns how many did."""
    for stream in STREAMS:
        payloads = inbox.on(f"gend/alerts/{stream}")
        ids = {payload: json.loads(payload)["id"] for payload in payloads}
        assert len(set(ids.values())) == len(ids), "one id, two messages"
        first = list(dict.fromkeys((message["id"], message["sequence"]) for message in received(inbox, stream)))
        assert first == [(id_, sequence) for of, id_, sequence in kept if of == stream]
    doubled = len(inbox.on("gend/alerts/#")) - len(set(inbox.on("gend/alerts/#")))
    assert doubled <= deaths, "more came twice than one for each death"
    return doubled


def check_episodes(inbox: Inbox) -> None:
    """Every episode was raised and cleared, once each, and nothing stands."""
    for stream in STREAMS:
        types: dict[str, list[str]] = {}
        for message in {message["id"]: message for message in received(inbox, stream)}.values():
            types.setdefault(message["alert_id"], []).append(message["type"])
        for told in types.values():
            assert (told[0], told[-1]) == ("raised", "cleared")
            assert set(told[1:-1]) <= {"updated"}
        assert inbox.on(f"gend/streams/{stream}/alert")[-1] == "OFF"
    reasons = {message["reason"] for stream in STREAMS for message in received(inbox, stream)}
    assert {"restarted", "evidence grew", "evidence fell", "track ended"} <= reasons


async def test_killed_before_each_statement_of_a_start_the_next_start_is_whole(
    url: str, broker: Mosquitto, faults: FaultTable
) -> None:
    async with dying() as service:
        migrating = await lives_until("opened", service, url, broker)
        async with opened(url) as store:
            for number in range(3):
                await store.record(an_alert(number, stream=STREAMS[number]), [SINK])
        closing = await lives_until("finished", service, url, broker)
    async with opened(url) as store:
        kept = await store.alerts(100)
        assert await store.open_episodes() == []
        assert await store.pending(SINK, 1) == []
    assert Counter((alert.alert_id, alert.type) for alert in kept) == {
        (f"episode-{number}", kind): 1 for number in range(3) for kind in ("raised", "cleared")
    }
    backend = url.partition("+")[0]
    faults.add(f"kill -9 before each of {migrating} statements of a first start, {backend}", "the next start is whole")
    faults.add(f"kill -9 before each of {closing} statements of a restart, {backend}", "each episode cleared once")


async def lives_until(reached: str, service: Dying, url: str, broker: Mosquitto) -> int:
    """Lets each life get one statement further than the one before, until one has `reached` that; returns how many."""
    for number in range(1, 200):
        life = await service.live(url, broker.url, f"statement:{number}")
        if [reached] in [words[:1] for words in life.said]:
            return number - 1
        assert life.status == -9
    raise AssertionError(f"never {reached}")
