"""Reviews and snoozes as a shell sees them, and as the service heeds them while it runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.demo.clip import make_clip
from tests.broker import Mosquitto
from tests.monitor.service import RunningService, Subscriber
from tests.monitor.store.examples import an_alert, made, opened
from tests.monitor.test_cli import monitor, written
from tests.webhook_receiver import Receiver


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a service that has run and raised three alerts."""

    async def fill() -> None:
        async with opened(f"sqlite+aiosqlite:///{tmp_path}/alerts.db") as store:
            for number in range(1, 4):
                await store.record(an_alert(number, stream="tape"), ["mqtt"])

    asyncio.run(fill())
    return written(tmp_path / "m.yaml")


def test_reviews_are_listed_with_who_contradicts_whom(config: Path) -> None:
    first = monitor("review", config, "episode-1", "wrong", "--by", "anna", "--note", "a poster")
    assert first.stdout == "2026-01-31 12:00:05 tape 1-7 episode-1: evidence 17.2 of 16; wrong by anna; a poster\n"
    monitor("review", config, "episode-2", "right", "--by", "anna")
    assert "contradicting: right by anna, wrong by ben" in (
        monitor("review", config, "episode-2", "wrong", "--by", "ben").stdout
    )
    lines = monitor("reviews", config).stdout.splitlines()
    assert [line.partition("; ")[2] for line in lines] == [
        "wrong by anna; a poster",
        "contradicting: right by anna, wrong by ben",
    ]
    told = [json.loads(line) for line in monitor("reviews", config, "--json").stdout.splitlines()]
    assert {key: told[0][key] for key in ("alert_id", "stream", "track", "raised_at", "answer", "by", "note")} == {
        "alert_id": "episode-1",
        "stream": "tape",
        "track": "1-7",
        "raised_at": "2026-01-31T12:00:05.250Z",
        "answer": "wrong",
        "by": "anna",
        "note": "a poster",
    }
    assert [(each["answer"], each["contradiction"]) for each in told] == [
        ("wrong", None),
        ("unsure", "right by anna, wrong by ben"),
    ]
    assert [each["by"] for each in told[1]["reviews"]] == ["anna", "ben"]
    (left,) = monitor("reviews", config, "--unreviewed", "--json").stdout.splitlines()
    assert json.loads(left)["alert_id"] == "episode-3"


def test_review_says_in_one_line_what_is_wrong(config: Path) -> None:
    unknown = monitor("review", config, "episode-9", "wrong")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.splitlines()[-1].endswith("alerts.db: no alert has the alert_id episode-9")
    assert monitor("review", config, "episode-1", "perhaps").returncode == 2


def test_snooze_is_told_and_ended(config: Path) -> None:
    assert monitor("snooze", config, "tape").stdout == "tape: not snoozed\n"
    assert monitor("snooze", config, "tape", "--for", "2h", "--by", "anna").stdout.startswith("tape: snoozed until 20")
    assert monitor("snooze", config, "tape").stdout.startswith("tape: snoozed until 20")
    assert monitor("snooze", config, "tape", "--end").stdout == "tape: not snoozed\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["door", "--for", "2h"], "no stream is called door; there are tape"),
        (["tape", "--for", "2"], "2: not a length of time; write it as 30m, 2h, 1h30m or 7d"),
        (["tape", "--for", "0h"], "--for 0h: that is over; --end ends a snooze"),
        (["tape", "--for", "32d"], "--for 32d: at most 31 days, so that no stream is forgotten"),
        (["tape", "--until", "2020-01-01"], "--until 2020-01-01: that is over; --end ends a snooze"),
        (["tape", "--for", "1h", "--end"], "--for, --until, --end: give one of them"),
    ],
)
def test_snooze_that_cannot_be_meant_ends_with_2(config: Path, arguments: list[str], complaint: str) -> None:
    result = monitor("snooze", config, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].endswith(complaint)
    assert monitor("snooze", config, "tape").stdout == "tape: not snoozed\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def target(url: str) -> dict[str, str]:
    return {"name": "siem", "webhook": url, "secret": "correct horse battery"}


def wait_for_state(subscriber: Subscriber, state: bytes) -> list[bytes]:
    """All that is told of the stream's alert state up to `state`."""
    told = [payload for topic, payload in subscriber.passed if topic == "gend/streams/tape/alert"]
    deadline = time.monotonic() + 60
    while not told or told[-1] != state:
        topic, payload = subscriber.messages.get(timeout=max(0.01, deadline - time.monotonic()))
        if topic == "gend/streams/tape/alert":
            told.append(payload)
    return told


def test_snoozed_stream_is_alerted_of_but_calls_nobody_until_the_snooze_ends(broker: Mosquitto, tmp_path: Path) -> None:
    clip = tmp_path / "call.mp4"
    make_clip(clip, seconds=12, manipulated_from_s=0, names=["astronaut"])
    streams = [{"name": "tape", "url": f"file:{clip}", "loop": True}]
    config = {"streams": streams, "mqtt": {"url": broker.url}}
    asyncio.run(made(tmp_path))
    # Before the service is there, which raises its first alert within seconds, however long a command takes.
    assert monitor("snooze", written(tmp_path / "before.yaml"), "tape", "--for", "1h").returncode == 0
    with (
        Receiver() as receiver,
        Subscriber(broker.port, "gend/#") as subscriber,
        RunningService(tmp_path, {**config, "notify": [target(receiver.url)]}) as service,
    ):
        alert = subscriber.wait_for("gend/alerts/tape", type="raised")
        status = subscriber.heard("gend/streams/tape/status", state="live", snoozed_until=alert["snoozed_until"])
        reviewed = monitor("review", service.path, alert["alert_id"], "right")
        assert monitor("snooze", service.path, "tape", "--end").returncode == 0
        told = wait_for_state(subscriber, b"ON")
        code, _ = service.terminate()
    assert status["snoozed_until"] is not None
    assert any(notice.startswith("snoozed until ") for notice in alert["notices"])
    assert alert["sequence"] == 1
    assert reviewed.returncode == 0, reviewed.stderr
    # Off while it was snoozed, the alert notwithstanding; on at once when it no longer was.
    assert set(told[:-1]) == {b"OFF"}
    assert receiver.requests == []  # notified of nothing that was raised while it was snoozed
    assert code == 0
