from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from monitor.messages import Event, Status, Verdict
from monitor.mqtt_config import MqttConfig
from monitor.publish import EmbeddedBroker, MqttPublisher
from monitor.store import Store
from tests.broker import Mosquitto, listening
from tests.monitor.publish.running import publishing, short_pauses, until, until_online
from tests.monitor.store.examples import an_alert

pytestmark = pytest.mark.anyio

SINKS = ["mqtt"]
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LIVE = Status("lobby", "live", NOW, fps=25.0, faces=1)


def ids(payloads: list[str]) -> list[str]:
    return [json.loads(payload)["id"] for payload in payloads]


async def test_alert_is_delivered_with_qos_1_and_ticked_off(broker: Mosquitto, store: Store) -> None:
    async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
        await store.record(an_alert(), SINKS)
        publisher.wake()
        payload = json.loads(await inbox.next("gend/alerts/lobby"))
        assert (payload["id"], payload["sequence"], payload["type"]) == ("id-1", 1, "raised")
        await until(lambda: publisher.statistics().delivered == 1)
    message = next(message for message in inbox.messages if message.topic.matches("gend/alerts/#"))
    assert (message.qos, message.retain) == (1, False)
    assert await store.pending("mqtt", 10) == []


async def test_alert_is_delivered_through_the_embedded_broker(store: Store) -> None:
    async with EmbeddedBroker() as embedded:
        config = MqttConfig(url=embedded.url)
        async with listening(config) as inbox, publishing(config, store) as publisher:
            await inbox.until(lambda inbox: "online" in inbox.on("gend/status"))
            for number in range(5):
                await store.record(an_alert(number), SINKS)
                publisher.wake()
            await inbox.until(lambda inbox: len(inbox.on("gend/alerts/lobby")) == 5)
            assert ids(inbox.on("gend/alerts/lobby")) == [f"id-{number}" for number in range(5)]
            assert await publisher.drain(3)
            await inbox.until(lambda inbox: inbox.on("gend/status")[-1] == "offline")


async def test_retained_topics_are_there_for_who_comes_later(broker: Mosquitto, store: Store) -> None:
    async with publishing(broker.config(homeassistant_prefix="ha"), store) as publisher:
        publisher.set_status(LIVE)
        publisher.set_alert_state("lobby", on=False)
        publisher.set_alert_state("lobby", on=True)
        async with listening(broker.config()) as early:
            await early.until(lambda inbox: "online" in inbox.on("gend/status"))
        async with listening(broker.config()) as late:
            await late.until(lambda inbox: len(inbox.messages) >= 5)
    assert all(message.retain for message in late.messages)
    assert json.loads(late.on("gend/streams/lobby/status")[0])["state"] == "live"
    assert late.on("gend/streams/lobby/alert") == ["ON"]
    assert late.on("gend/status") == ["online"]
    assert len(late.on("ha/#")) == 2


async def test_verdicts_and_events_are_not_retained(broker: Mosquitto, store: Store) -> None:
    async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
        for evidence in (1.0, 2.0, 3.0):
            publisher.verdict(Verdict("lobby", "1-7", 5.0, "suspect", evidence, 16.0, 3, 0.7))
        publisher.event(Event("lobby", "drift", 5.0, None, "darker than usual"))
        verdict = json.loads(await inbox.next("gend/streams/lobby/tracks/1-7"))
        assert verdict["evidence"] == 3.0
        assert json.loads(inbox.on("gend/events/lobby")[0])["kind"] == "drift"
    async with listening(broker.config()) as late:
        await late.until(lambda inbox: inbox.on("gend/status"))
    assert not late.on("gend/streams/lobby/tracks/#")
    assert not late.on("gend/events/#")


async def test_frozen_broker_is_noticed_without_any_traffic(broker: Mosquitto, store: Store) -> None:
    async with publishing(broker.config(keepalive_s=2), store) as publisher:
        await until_online(broker.config())
        broker.pause()
        await until(lambda: not publisher.connected)
        broker.resume()
        await until(lambda: publisher.connected)


async def test_alert_without_acknowledgement_is_sent_again(
    broker: Mosquitto, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.publish.client._ANSWER_S", 0.5)
    async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
        await until_online(broker.config())
        broker.pause()
        await store.record(an_alert(), SINKS)
        publisher.wake()
        await until(lambda: publisher.statistics().reason == "no answer within 0.5 s")
        assert len(await store.pending("mqtt", 1)) == 1
        broker.resume()
        await until(lambda: publisher.statistics().delivered == 1)
        await inbox.until(lambda inbox: inbox.on("gend/alerts/lobby"))
    assert set(ids(inbox.on("gend/alerts/lobby"))) == {"id-1"}


async def test_drain_delivers_what_is_left_and_says_goodbye(broker: Mosquitto, store: Store) -> None:
    for number in range(50):
        await store.record(an_alert(number), SINKS)
    async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
        await until(lambda: publisher.connected)
        publisher.set_alert_state("lobby", on=False)
        assert await publisher.drain(5)
        assert not publisher.connected
        await inbox.until(lambda inbox: "offline" in inbox.on("gend/status"))
    assert len(inbox.on("gend/alerts/lobby")) == 50
    assert inbox.on("gend/streams/lobby/alert") == ["OFF"]
    assert "last will" not in broker.log


@pytest.mark.parametrize("fault", ["stop", "pause"])
async def test_drain_gives_up_in_time_and_keeps_the_alerts(broker: Mosquitto, store: Store, fault: str) -> None:
    async with publishing(broker.config(), store) as publisher:
        await until_online(broker.config())
        getattr(broker, fault)()
        await store.record(an_alert(), SINKS)
        async with asyncio.timeout(3):
            assert not await publisher.drain(1)
        assert len(await store.pending("mqtt", 1)) == 1


async def test_cancelled_run_says_goodbye_too(broker: Mosquitto, store: Store) -> None:
    async with listening(broker.config()) as inbox:
        publisher = MqttPublisher(broker.config(), store)
        running = asyncio.create_task(publisher.run())
        await inbox.until(lambda inbox: "online" in inbox.on("gend/status"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await inbox.until(lambda inbox: "offline" in inbox.on("gend/status"))
    assert not publisher.connected


async def test_publisher_outlives_a_store_that_fails(
    broker: Mosquitto, store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO", "monitor.publish")
    async with store._engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=20")
    async with listening(broker.config()) as inbox, publishing(broker.config(), store) as publisher:
        await until(lambda: publisher.connected)
        await store.record(an_alert(), SINKS)
        with sqlite3.connect(tmp_path / "alerts.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            publisher.wake()
            await until(lambda: "the outbox cannot be used" in caplog.text)
            assert publisher.statistics().store_failure == f"{tmp_path}/alerts.db: database is locked"
            other.execute("ROLLBACK")
        await until(lambda: store.statistics().delivered == 1)
        assert publisher.statistics().store_failure is None
        assert publisher.connected
    assert ids(inbox.on("gend/alerts/lobby")) == ["id-1"]
    assert [r.message for r in caplog.records if "outbox" in r.message] == [
        f"MQTT: the outbox cannot be used: {tmp_path}/alerts.db: database is locked; trying again",
        "MQTT: the outbox can be used again",
    ]


async def test_a_broker_that_never_answers_costs_nothing_that_adds_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.publish.client._ANSWER_S", 0.1)
    short_pauses(monkeypatch, 0.1)
    process, accepted = psutil.Process(), []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await reader.read()  # to the end of the connection
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        config = MqttConfig(url=f"mqtt://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        async with publishing(config, store):
            await until(lambda: len(accepted) == 3)
            descriptors, tasks = process.num_fds(), len(asyncio.all_tasks())
            await until(lambda: len(accepted) == 13)
            # One attempt may be at another of its steps than before.
            assert process.num_fds() <= descriptors + 3
            assert len(asyncio.all_tasks()) <= tasks + 3
