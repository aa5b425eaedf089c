"""Brokers that die, freeze, refuse, kick and forget: every alert arrives, and what is retained is true again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from monitor.messages import Event, Status
from monitor.mqtt_config import MqttConfig
from monitor.publish import MqttPublisher
from monitor.publish.client import Broker
from monitor.store import OutboxRow, Store
from tests.broker import Inbox, Mosquitto, listening
from tests.faults.table import FaultTable
from tests.monitor.publish.running import publishing, short_pauses, until, until_online
from tests.monitor.store.examples import an_alert, opened
from tests.ports import HOST

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

SINKS = ["mqtt"]
STREAMS = ("gate", "hall", "lobby")
LIVE = Status("lobby", "live", datetime(2026, 1, 31, 12, 0, tzinfo=UTC), fps=25.0, faces=1)
ALERTS = 1000
LONG_S = 60.0
MEANWHILE = 50
"""Alerts decided during a fault where it is not their number that matters."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, remembers=True) as running:
        yield running


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[Store]:
    async with opened(sqlite_url) as running:
        yield running


async def decide(store: Store, publisher: MqttPublisher[OutboxRow], count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await store.record(an_alert(number, stream=STREAMS[number % 3]), SINKS)
        publisher.wake()


def check_all_came_in_order(inbox: Inbox, count: int) -> int:
    """Returns how many came more than once."""
    came = [json.loads(payload) for payload in inbox.on("gend/alerts/#")]
    for stream in STREAMS:
        first = list(
            dict.fromkeys((message["id"], message["sequence"]) for message in came if message["stream"] == stream)
        )
        expected = [f"id-{number}" for number in range(count) if STREAMS[number % 3] == stream]
        assert first == [(id_, sequence) for sequence, id_ in enumerate(expected, 1)]
    return len(came) - count


async def all_have_come(inbox: Inbox, count: int) -> None:
    """Waits for the last alert of each stream: they come in order."""
    last = {(STREAMS[number % 3], f"id-{number}") for number in range(count - 3, count)}

    def came(inbox: Inbox) -> bool:
        return all(any(id_ == json.loads(p)["id"] for p in inbox.on(f"gend/alerts/{on}")[-9:]) for on, id_ in last)

    async with asyncio.timeout(LONG_S):
        while not came(inbox):
            await asyncio.sleep(0.05)


async def true_again(broker: Mosquitto) -> None:
    """Waits until what is retained is what the publisher of these tests has said last."""
    async with listening(broker.config()) as inbox:
        await inbox.until(is_true)


def is_true(inbox: Inbox) -> bool:
    said = {str(message.topic): message.payload for message in inbox.messages}
    return (
        said.get("gend/status") == b"online"
        and b'"state":"live"' in said.get("gend/streams/lobby/status", b"")
        and said.get("gend/streams/lobby/alert") == b"ON"
        and sum(topic.startswith("homeassistant/") for topic in said) == 2
    )


class Follower:
    """A durable subscription, taken up again whenever the broker is back."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self.inbox = Inbox()
        self.connections = 0

    async def run(self) -> None:
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    HOST, self._broker.port, identifier="follower", clean_session=False
                ) as client:
                    await client.subscribe("#", qos=1)
                    self.connections += 1
                    async for message in client.messages:
                        await self.inbox.put(message)
            await asyncio.sleep(0.05)


async def test_a_thousand_alerts_decided_while_the_broker_is_dead_arrive_in_order(
    tmp_path: Path, store: Store, faults: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_pauses(monkeypatch, 1.0)
    with Mosquitto(tmp_path, remembers=True, at_once=False) as broker:
        async with listening(broker.config(), session="subscriber"):
            pass
        await asyncio.to_thread(broker.stop)  # it remembers the subscriber now
        await asyncio.to_thread(broker.start)
        async with publishing(broker.config(), store) as publisher:
            publisher.set_status(LIVE)
            await until_online(broker.config())
            await asyncio.to_thread(broker.kill)
            await until(lambda: not publisher.connected)
            publisher.set_alert_state("lobby", on=True)
            await decide(store, publisher, ALERTS)
            await until(lambda: "refused" in (publisher.statistics().reason or ""))
            seen = publisher.statistics().reason or ""
            await asyncio.to_thread(broker.start)
            async with listening(broker.config(), session="subscriber") as inbox:
                await until(lambda: publisher.connected, LONG_S)
                with faults.recovery(f"broker killed, {ALERTS} alerts meanwhile", seen):
                    began_s = time.monotonic()
                    await until(lambda: store.statistics().delivered == ALERTS, LONG_S)
                    rate = ALERTS / (time.monotonic() - began_s)
                    await all_have_come(inbox, ALERTS)
            await true_again(broker)
    assert check_all_came_in_order(inbox, ALERTS) == 0
    faults.add("(alerts that have waited leave the outbox)", f"{rate:.0f} a second, one in flight")


async def test_broker_killed_again_and_again_while_alerts_go_out(
    broker: Mosquitto, store: Store, faults: FaultTable, monkeypatch: pytest.MonkeyPatch, *, soak: bool
) -> None:
    short_pauses(monkeypatch, 0.1)
    kills = 100 if soak else 6
    follower = Follower(broker)
    following = asyncio.create_task(follower.run())
    async with publishing(broker.config(), store) as publisher:
        publisher.set_status(LIVE)
        publisher.set_alert_state("lobby", on=True)
        count = 0
        for number in range(kills):
            # What Mosquitto has acknowledged it may not have written yet, so the subscriber must be there to get it.
            while min(follower.connections, publisher.statistics().connections) <= number:
                await asyncio.sleep(0.01)
            deciding = asyncio.create_task(decide(store, publisher, MEANWHILE, first=count))
            await asyncio.sleep(random.uniform(0, 0.2))
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await deciding
            count += MEANWHILE
        with faults.recovery(f"broker killed and restarted {kills} times amid alerts", "mqtt_connected 0"):
            await until(lambda: store.statistics().delivered == count, LONG_S)
            await all_have_come(follower.inbox, count)
        await true_again(broker)
        assert publisher.statistics().connections > kills
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    # Twice came at most what each broker had taken and not yet acknowledged, and what it had passed on but not noted.
    assert check_all_came_in_order(follower.inbox, count) <= 2 * kills


async def test_half_open_broker_is_noticed_and_alerts_follow(
    broker: Mosquitto, store: Store, faults: FaultTable
) -> None:
    async with listening(broker.config()) as inbox, publishing(broker.config(keepalive_s=2), store) as publisher:
        publisher.set_status(LIVE)
        await until_online(broker.config())
        broker.pause()
        publisher.set_alert_state("lobby", on=True)
        await decide(store, publisher, MEANWHILE)
        await until(lambda: not publisher.connected)
        seen = publisher.statistics().reason or ""
        broker.resume()
        with faults.recovery(f"broker frozen, {MEANWHILE} alerts meanwhile", seen):
            await until(lambda: store.statistics().delivered == MEANWHILE)
        await all_have_come(inbox, MEANWHILE)
        await true_again(broker)
    # What was written to the frozen one is read when it thaws, and comes once more by the new connection.
    assert check_all_came_in_order(inbox, MEANWHILE) <= 1


async def test_broker_that_refuses_our_password_for_a_while(
    tmp_path: Path, store: Store, faults: FaultTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_pauses(monkeypatch, 1.0)
    with Mosquitto(tmp_path, username="monitor", password="right", remembers=True) as broker:
        async with listening(broker.config(), session="subscriber"):
            pass
        async with publishing(broker.config(), store) as publisher:
            publisher.set_status(LIVE)
            publisher.set_alert_state("lobby", on=True)
            await until(lambda: publisher.connected)
            await asyncio.to_thread(broker.set_password, "another")
            await until(lambda: "refused" in (publisher.statistics().reason or ""))
            seen = publisher.statistics().reason or ""
            assert seen == "refused: Not authorized; check mqtt.username and mqtt.password"
            await decide(store, publisher, MEANWHILE)
            await asyncio.to_thread(broker.set_password, "right")
            with faults.recovery("broker refuses the password", seen):
                async with listening(broker.config(), session="subscriber") as inbox:
                    await all_have_come(inbox, MEANWHILE)
            await true_again(broker)
    check_all_came_in_order(inbox, MEANWHILE)


async def test_client_of_the_same_id_kicks_us_and_alerts_arrive_between(
    broker: Mosquitto,
    store: Store,
    faults: FaultTable,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    short_pauses(monkeypatch, 0.2)
    explained = "the broker accepts and then ends every connection; does another client use the id twin?"
    async with listening(broker.config()) as inbox, publishing(broker.config(client_id="twin"), store) as publisher:
        publisher.set_status(LIVE)
        publisher.set_alert_state("lobby", on=True)
        for number in range(8):
            await until(lambda: publisher.connected)
            async with Broker(broker.config(client_id="twin")).client(will=None):
                await until(lambda: not publisher.connected)
                await decide(store, publisher, 10, first=10 * number)
        assert explained in (publisher.statistics().reason or "")
        with faults.recovery("another client of the same id kicks us, 8 times", explained):
            await all_have_come(inbox, 80)
        await true_again(broker)
    check_all_came_in_order(inbox, 80)
    assert sum(explained in record.message for record in caplog.records) == 1


async def test_broker_that_lost_its_retained_messages_is_told_anew(
    broker: Mosquitto, store: Store, faults: FaultTable
) -> None:
    async with publishing(broker.config(), store) as publisher:
        publisher.set_status(LIVE)
        publisher.set_alert_state("lobby", on=False)
        await until_online(broker.config())
        await asyncio.to_thread(broker.kill)
        broker.forget()
        await until(lambda: not publisher.connected)
        publisher.set_alert_state("lobby", on=True)
        await asyncio.to_thread(broker.start)
        with faults.recovery("broker lost all retained messages", "mqtt_connections +1"):
            await true_again(broker)


async def test_broker_that_dies_at_any_byte_leaves_no_traceback_and_nothing_that_adds_up(
    store: Store, faults: FaultTable, monkeypatch: pytest.MonkeyPatch, *, soak: bool
) -> None:
    """A stub, for no real broker dies at a chosen byte of its answer. anyio fails the test that asyncio logs in."""
    monkeypatch.setattr("monitor.publish.client._ANSWER_S", 0.1)
    short_pauses(monkeypatch, 0.002)
    wanted = 3000 if soak else 150
    connections = 0

    async def die_somewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        answer = random.choice([b"\x20\x02\x00\x00"] * 3 + [b"\x20\x02\x00\x05", random.randbytes(8)])
        if reset := random.random() < 0.5:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        try:
            await reader.read(1000)
            writer.write(answer[: random.choice((2, 4, 4, 4, 8))])
            left = random.choice((0, 0, 500, 3000))
            while left > 0 and (got := await reader.read(100)):
                left -= len(got)
                writer.write(b"\x40\x02\x00\x01")
        except ConnectionError:
            pass
        finally:
            writer.transport.abort() if reset else writer.close()

    async with await asyncio.start_server(die_somewhere, HOST, 0) as stub:
        config = MqttConfig(url=f"mqtt://{HOST}:{stub.sockets[0].getsockname()[1]}")
        await store.record(an_alert(), SINKS)
        async with publishing(config, store) as publisher:
            for _ in range(10_000 * wanted):
                publisher.event(Event("lobby", "drift", 1.0, None, "x" * random.randrange(200)))
                await asyncio.sleep(random.uniform(0, 0.003))
                if connections >= wanted:
                    break
            await until(lambda: len(asyncio.all_tasks()) < 12)
    faults.add(f"broker dies at any byte, {connections} times", "one line per change, no traceback")


async def test_run_that_is_cancelled_while_its_connection_fails_ends(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_pauses(monkeypatch, 0.001)

    async def accept_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"\x20\x02\x00\x00")
        await asyncio.sleep(random.uniform(0, 0.002))
        writer.close()

    async with await asyncio.start_server(accept_and_leave, HOST, 0) as stub:
        config = MqttConfig(url=f"mqtt://{HOST}:{stub.sockets[0].getsockname()[1]}")
        for _ in range(200):
            running = asyncio.create_task(MqttPublisher(config, store).run())
            await asyncio.sleep(random.uniform(0, 0.008))
            running.cancel()
            _, pending = await asyncio.wait([running], timeout=10)
            assert not pending, "the cancellation was forgotten"
