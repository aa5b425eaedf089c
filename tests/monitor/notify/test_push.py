"""apprise for real: its service `json`, which posts to the receiver of the tests."""

from __future__ import annotations

import logging

import pytest

from monitor.errors import ConfigError
from monitor.notify import check_target
from monitor.notify_config import TargetConfig
from monitor.store import Store
from tests.monitor.notify.running import SetClock, a_webhook, notifying
from tests.monitor.publish.running import until
from tests.monitor.store.examples import an_alert
from tests.webhook_receiver import HANG, Receiver

pytestmark = pytest.mark.anyio


def a_push(url: str, **fields: object) -> TargetConfig:
    return TargetConfig.model_validate({"name": "guard", "url": url, **fields})


async def test_people_are_told_what_was_decided_and_what_it_is_worth(store: Store, receiver: Receiver) -> None:
    async with notifying([a_push(f"json://127.0.0.1:{receiver.port}/x")], store) as notifier:
        await store.record(an_alert(1, reason="evidence grew"), ["notify:guard"])
        notifier.wake()
        await until(lambda: store.statistics().waiting["notify:guard"] == 0)
    (request,) = receiver.requests
    told = request.json()
    assert told["title"] == "lobby: deepfake alert raised"
    assert told["type"] == "warning"
    for part in (
        "2026-01-31 12:00:05 UTC lobby, track 1-7: raised, fake, evidence 17.2 of 16; evidence grew (21 crops)",
        "alert episode-1",
        "demo encoder: not for real use",
        "not calibrated: no false-alarm rate is promised",
    ):
        assert part in told["message"].splitlines()


async def test_a_digest_is_one_message(store: Store, receiver: Receiver) -> None:
    for number in range(40):
        await store.record(an_alert(number, stream=("lobby", "gate")[number % 2]), ["notify:guard"])
    async with notifying([a_push(f"json://127.0.0.1:{receiver.port}/x", digest_s=60)], store):
        await until(lambda: store.statistics().waiting["notify:guard"] == 0)
    (request,) = receiver.requests
    assert request.json()["title"] == "lobby, gate: deepfake alerts, 40 raised"
    assert "… and 10 more, in the store of the monitor" in request.json()["message"].splitlines()


async def test_a_failure_is_told_in_one_line_without_credentials_and_tried_again(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "monitor.notify")
    receiver.answer = lambda _: 500
    target = a_push(f"json://user:s3cretpass@127.0.0.1:{receiver.port}/x")
    async with notifying([target], store) as notifier:
        await store.record(an_alert(1), ["notify:guard"])
        notifier.wake()
        await until(lambda: notifier.statistics()[0].failures > 2)
        receiver.answer = lambda _: 200
        await until(lambda: store.statistics().waiting["notify:guard"] == 0)
    ours = [record for record in caplog.records if record.name == "monitor.notify"]
    assert [record.levelno for record in ours] == [logging.WARNING, logging.INFO]
    assert "500" in ours[0].getMessage()
    assert "s3cretpass" not in caplog.text
    assert "".join(capfd.readouterr()) == ""  # apprise's own lines do not reach the terminal


async def test_an_address_that_apprise_does_not_know_is_a_configuration_error() -> None:
    for url in ("nonsense://s3cret-token/x", "tgram://", "tgram://not-a-token/1"):
        with pytest.raises(
            ConfigError, match=r"^notify\.guard\.url: apprise does not understand this address"
        ) as caught:
            check_target(a_push(url))
        assert "s3cret" not in str(caught.value)


async def test_the_kind_of_a_target_is_told_without_credentials() -> None:
    assert check_target(a_push("tgram://123456789:abcdefg_hijklmnop/12315544/")) == "Telegram"


async def test_a_service_that_hangs_blocks_nothing_but_its_own_thread(store: Store, receiver: Receiver) -> None:
    with Receiver() as hanging:
        hanging.answer = lambda _: HANG
        targets = [a_push(f"json://127.0.0.1:{hanging.port}/x"), a_webhook(receiver.url)]
        async with notifying(targets, store) as notifier:
            await store.record(an_alert(1), ["notify:guard"])
            notifier.wake()
            await until(lambda: hanging.requests)
            await store.record(an_alert(2), ["notify:siem"])
            notifier.wake()
            await until(lambda: store.statistics().waiting["notify:siem"] == 0)
            assert [row.alert.id for row in await store.pending("notify:guard", 9)] == ["id-1"]
            assert len(hanging.requests) == 1


async def test_what_apprise_cannot_send_is_never_given_up(store: Store, receiver: Receiver) -> None:
    clock = SetClock()
    receiver.answer = lambda _: 403
    async with notifying([a_push(f"json://127.0.0.1:{receiver.port}/x", give_up_h=1)], store, clock) as notifier:
        await store.record(an_alert(1), ["notify:guard"])
        notifier.wake()
        await until(lambda: notifier.statistics()[0].failures)
        clock.advance(days=30)
        before = notifier.statistics()[0].failures
        await until(lambda: notifier.statistics()[0].failures > before + 2)
        receiver.answer = lambda _: 200
        await until(lambda: store.statistics().waiting["notify:guard"] == 0)
        assert notifier.statistics()[0].gave_up == 0
