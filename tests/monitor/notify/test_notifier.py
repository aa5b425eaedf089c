"""Alerts in a real outbox, a real HTTP server, and everything that may go wrong between them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.notify import Notifier
from monitor.store import OutboxRow, Store
from tests.broker import Mosquitto, listening
from tests.monitor.notify.running import SetClock, a_webhook, notifying
from tests.monitor.publish.running import publishing, until
from tests.monitor.store.examples import an_alert, opened
from tests.ports import free_port
from tests.webhook_receiver import HANG, Receiver, Request

pytestmark = pytest.mark.anyio

SINK = "notify:siem"


async def put(
    notifier: Notifier[OutboxRow], store: Store, *numbers: int, clock: SetClock | None = None, **fields: Any
) -> None:
    """Records alerts as the service does."""
    for number in numbers:
        alert = an_alert(number, **({"at": clock.now} if clock else {}), **fields)
        await store.record(alert, notifier.sinks(alert))
    notifier.wake()


def refusing(*ids: str) -> Callable[[Request], int]:
    return lambda request: 422 if set(ids) & set(request.ids()) else 200


async def nothing_waits(store: Store) -> None:
    await until(lambda: store.statistics().waiting.get(SINK) == 0)


async def test_alerts_are_delivered_one_by_one_in_order_and_ticked_off(store: Store, receiver: Receiver) -> None:
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        await put(notifier, store, 1, 2, 3)
        await nothing_waits(store)
        (statistics,) = notifier.statistics()
    assert receiver.taken_ids() == [["id-1"], ["id-2"], ["id-3"]]
    assert (statistics.delivered, statistics.notifications, statistics.failures) == (3, 3, 0)


async def test_each_target_gets_what_its_rules_say(store: Store, receiver: Receiver) -> None:
    targets = [
        a_webhook(f"{receiver.url}/gate", name="gate", streams=["gate"]),
        a_webhook(f"{receiver.url}/ends", name="ends", types=["raised", "cleared"]),
        a_webhook(f"{receiver.url}/clear", name="clear", types=["raised", "cleared"], verdicts=["clear"]),
    ]

    def told(path: str) -> list[str]:
        return [request.ids()[0] for request in receiver.taken if request.path.endswith(path)]

    async with notifying(targets, store) as notifier:
        await put(notifier, store, 1, stream="lobby")
        await put(notifier, store, 2, stream="gate")
        await put(notifier, store, 3, stream="gate", type="updated")
        await put(notifier, store, 4, stream="gate", type="cleared", verdict="clear")
        await put(notifier, store, 5, stream="lobby", type="cleared", verdict="inconclusive")
        await until(lambda: sum(store.statistics().waiting.values()) == 0)
    assert told("/gate") == ["id-2"]
    assert told("/ends") == ["id-1", "id-2", "id-4", "id-5"]
    assert told("/clear") == ["id-4"]


async def test_what_fails_is_tried_again_under_the_same_id_until_it_is_taken(store: Store, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500 if len(receiver.requests) < 4 else 200
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        await put(notifier, store, 1, 2)
        await until(lambda: notifier.statistics()[0].failing == "answered 500 Internal Server Error")
        await nothing_waits(store)
        (statistics,) = notifier.statistics()
    # One at a time: the second is not tried before the first is taken.
    assert [request.ids() for request in receiver.requests] == [["id-1"]] * 4 + [["id-2"]]
    assert {request.headers["X-GenD-Id"] for request in receiver.requests[:4]} == {"id-1"}
    assert (statistics.delivered, statistics.failures, statistics.failing) == (2, 3, None)


async def test_a_server_that_comes_late_gets_everything(store: Store) -> None:
    port = free_port()
    async with notifying([a_webhook(f"http://127.0.0.1:{port}/hook")], store) as notifier:
        await put(notifier, store, 1, 2)
        await until(lambda: notifier.statistics()[0].failures > 1)
        assert "refused" in str(notifier.statistics()[0].failing) or "failed" in str(notifier.statistics()[0].failing)
        assert store.statistics().waiting[SINK] == 2
        with Receiver(port) as receiver:
            await nothing_waits(store)
        assert receiver.taken_ids() == [["id-1"], ["id-2"]]


async def test_a_server_that_hangs_is_given_up_for_this_time(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.notify.webhook._WHOLE_S", 0.3)
    receiver.answer = lambda _: HANG if len(receiver.requests) < 3 else 200
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        await put(notifier, store, 1)
        await until(lambda: notifier.statistics()[0].failing == "no answer within 0.3 s")
        await nothing_waits(store)
    assert receiver.taken_ids() == [["id-1"]]


async def test_a_dead_webhook_holds_up_neither_mqtt_nor_another_webhook(
    store: Store, receiver: Receiver, tmp_path: Path
) -> None:
    with Receiver() as dead, Mosquitto(tmp_path) as broker:
        dead.answer = lambda _: HANG
        targets = [a_webhook(dead.url, name="dead"), a_webhook(receiver.url)]
        async with (
            listening(broker.config()) as inbox,
            publishing(broker.config(), store) as publisher,
            notifying(targets, store) as notifier,
        ):
            for number in range(5):
                alert = an_alert(number)
                await store.record(alert, ["mqtt", *notifier.sinks(alert)])
                publisher.wake()
                notifier.wake()
            await inbox.until(lambda inbox: len(inbox.on("gend/alerts/lobby")) == 5)
            await nothing_waits(store)
            assert store.statistics().waiting["notify:dead"] == 5
            await until(lambda: dead.requests)
    assert len(dead.requests) == 1  # in flight, and no other beside it


async def test_a_refused_alert_holds_up_no_other_and_is_delivered_when_it_is_taken(
    store: Store, receiver: Receiver
) -> None:
    receiver.answer = refusing("id-1")
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        await put(notifier, store, 1, 2, 3)
        await until(lambda: receiver.taken_ids() == [["id-2"], ["id-3"]])
        await put(notifier, store, 4)
        await until(lambda: receiver.taken_ids()[2:] == [["id-4"]])
        await until(lambda: store.statistics().waiting[SINK] == 1)
        assert [row.alert.id for row in await store.pending(SINK, 9)] == ["id-1"]
        receiver.answer = lambda _: 200
        await nothing_waits(store)
        assert notifier.statistics()[0].gave_up == 0
    assert receiver.taken_ids()[3:] == [["id-1"]]


async def test_an_alert_that_is_refused_for_too_long_is_given_up_aloud(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SetClock()
    receiver.answer = refusing("id-1")
    async with notifying([a_webhook(receiver.url, give_up_h=24)], store, clock) as notifier:
        await put(notifier, store, 1, 2)
        await until(lambda: receiver.taken_ids() == [["id-2"]])
        clock.advance(hours=23)
        before = len(receiver.requests)
        notifier.wake()
        await until(lambda: len(receiver.requests) > before)
        assert notifier.statistics()[0].gave_up == 0
        clock.advance(hours=1)
        notifier.wake()
        await nothing_waits(store)
        assert notifier.statistics()[0].gave_up == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == (
        "notify siem: alert id-1 of lobby (raised) is given up after 24 h of refusals: "
        "answered 422 Unprocessable Entity"
    )


async def test_only_refusals_are_given_up(store: Store, receiver: Receiver) -> None:
    clock = SetClock()
    receiver.answer = lambda _: 503
    async with notifying([a_webhook(receiver.url, give_up_h=1)], store, clock) as notifier:
        await put(notifier, store, 1)
        await until(lambda: len(receiver.requests) > 1)
        clock.advance(days=30)
        before = len(receiver.requests)
        await until(lambda: len(receiver.requests) > before + 2)
        receiver.answer = lambda _: 200
        await nothing_waits(store)
    assert receiver.taken_ids() == [["id-1"]]


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_redirects_are_not_followed(store: Store, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda request: status if request.path == "/hook" else 200
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        await put(notifier, store, 1)
        await until(lambda: notifier.statistics()[0].failures)
    assert {request.path for request in receiver.requests} == {"/hook"}
    assert len(await store.pending(SINK, 9)) == 1


async def test_a_digest_gathers_and_a_restart_does_not_begin_it_anew(tmp_path: Path, receiver: Receiver) -> None:
    clock, url = SetClock(), f"sqlite+aiosqlite:///{tmp_path}/kept.db"
    target = a_webhook(receiver.url, digest_s=3600)
    async with opened(url) as store, notifying([target], store, clock) as notifier:
        await put(notifier, store, 1, clock=clock)
        clock.advance(minutes=40)
        await put(notifier, store, 2, clock=clock, stream="gate")
        await settled(notifier)
    assert receiver.requests == []
    clock.advance(minutes=19)
    async with opened(url) as store, notifying([target], store, clock) as notifier:
        await settled(notifier)
        assert receiver.requests == []
        clock.advance(minutes=1)
        notifier.wake()
        await nothing_waits(store)
        assert notifier.statistics()[0].notifications == 1
    (request,) = receiver.taken
    digest = request.json()
    assert (digest["schema"], digest["type"], request.headers["X-GenD-Id"]) == (1, "digest", digest["id"])
    assert [alert["stream"] for alert in digest["alerts"]] == ["lobby", "gate"]
    assert receiver.taken_ids() == [["id-1", "id-2"]]


async def test_a_clock_that_is_set_back_holds_no_digest_up(store: Store, receiver: Receiver) -> None:
    clock = SetClock()
    async with notifying([a_webhook(receiver.url, digest_s=60)], store, clock) as notifier:
        alert = an_alert(at=SetClock(clock.now.replace(year=clock.now.year + 1)).now)
        await store.record(alert, notifier.sinks(alert))
        notifier.wake()
        await settled(notifier)
        clock.advance(seconds=61)
        notifier.wake()
        await nothing_waits(store)


async def test_cool_down_gathers_per_stream_and_outlives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    clock, url = SetClock(), f"sqlite+aiosqlite:///{tmp_path}/kept.db"
    target = a_webhook(receiver.url, cool_down_s=600)
    async with opened(url) as store, notifying([target], store, clock) as notifier:
        await put(notifier, store, 1, clock=clock)
        await nothing_waits(store)
        await put(notifier, store, 2, 3, clock=clock)
        await put(notifier, store, 4, clock=clock, stream="gate")
        await until(lambda: receiver.taken_ids() == [["id-1"], ["id-4"]])
        await settled(notifier)
    clock.advance(minutes=5)
    async with opened(url) as store, notifying([target], store, clock) as notifier:
        await settled(notifier)
        assert len(receiver.taken) == 2
        clock.advance(minutes=6)
        notifier.wake()
        await nothing_waits(store)
    assert receiver.taken_ids() == [["id-1"], ["id-4"], ["id-2", "id-3"]]


async def test_quiet_hours_hold_alerts_back_until_they_end(store: Store, receiver: Receiver) -> None:
    clock = SetClock(datetime(2026, 7, 1, 20, 30, tzinfo=UTC))  # 22:30 in Berlin
    target = a_webhook(receiver.url, quiet_hours={"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
    async with notifying([target], store, clock) as notifier:
        await put(notifier, store, 1, 2, clock=clock)
        clock.advance(hours=8)
        await put(notifier, store, 3, clock=clock)
        await settled(notifier)
        assert receiver.requests == []
        clock.advance(minutes=31)  # 07:01 in Berlin
        notifier.wake()
        await nothing_waits(store)
        assert receiver.taken_ids() == [["id-1", "id-2", "id-3"]]
        await put(notifier, store, 4, clock=clock)
        await nothing_waits(store)
    assert receiver.taken_ids()[1:] == [["id-4"]]


async def test_a_refused_digest_is_taken_apart(store: Store, receiver: Receiver) -> None:
    clock = SetClock()
    receiver.answer = lambda request: 413 if len(request.ids()) > 1 else 200
    async with notifying([a_webhook(receiver.url, digest_s=60)], store, clock) as notifier:
        await put(notifier, store, 1, 2, clock=clock)
        await settled(notifier)
        clock.advance(seconds=60)
        notifier.wake()
        await until(lambda: receiver.requests)
        while store.statistics().waiting[SINK]:
            clock.advance(seconds=1)
            notifier.wake()
            await settled(notifier)
    assert sorted(receiver.taken_ids()) == [["id-1"], ["id-2"]]


async def test_more_than_one_digest_holds_go_out_at_once(
    store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.notify.target._MOST", 3)
    clock = SetClock()
    for number in range(7):
        await store.record(an_alert(number, at=clock.now), [SINK])
    async with notifying([a_webhook(receiver.url, cool_down_s=3600)], store, clock):
        await nothing_waits(store)
    assert [len(ids) for ids in receiver.taken_ids()] == [3, 3, 1]


async def test_the_end_gives_what_waits_a_last_chance(store: Store, receiver: Receiver) -> None:
    async with notifying([a_webhook(receiver.url)], store) as notifier:
        alert = an_alert(1)
        await store.record(alert, notifier.sinks(alert))
        await notifier.drain(5)
        assert receiver.taken_ids() == [["id-1"]]
        assert store.statistics().waiting[SINK] == 0


async def test_what_waits_for_a_target_that_is_gone_is_said_and_kept(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.record(an_alert(1), ["mqtt", "notify:former"])
    async with notifying([], store) as notifier:
        notifier.warn_of_strangers(store.statistics().waiting)
    assert caplog.messages == ["notify:former: alerts wait for this target, which is no longer configured"]
    assert len(await store.pending("notify:former", 9)) == 1


async def settled(notifier: Notifier[OutboxRow]) -> None:
    """Waits until each target has looked and found nothing to do."""
    notifier.wake()
    for target in notifier._targets:
        await target.idle()
