"""What Home Assistant receives of a stream: found, live, an alert, its end, the end of the service.

Run as a program, it prints the exchange as it stands in docs/notifications.md.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.messages import Status
from monitor.mqtt_config import MqttConfig
from tests.broker import Inbox, Mosquitto, listening
from tests.monitor.publish.running import publishing
from tests.monitor.store.examples import an_alert, opened

_SINCE = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def exchange(config: MqttConfig, folder: Path) -> Inbox:
    """Everything that a client hears which listens all the time."""
    async with (
        opened(f"sqlite+aiosqlite:///{folder}/exchange.db") as store,
        listening(config) as inbox,
    ):
        async with publishing(config, store) as publisher:
            publisher.set_alert_state("lobby", on=False)
            publisher.set_status(Status("lobby", "live", since=_SINCE, fps=25.0, faces=1))
            await inbox.until(lambda inbox: inbox.on("gend/status") == ["online"])
            publisher.set_alert_state("lobby", on=True)
            await inbox.until(lambda inbox: "ON" in inbox.on("gend/streams/lobby/alert"))
            await store.record(an_alert(1, at=_SINCE, captured_at=_SINCE, first_seen=_SINCE), ["mqtt"])
            publisher.wake()
            await inbox.until(lambda inbox: inbox.on("gend/alerts/lobby"))
            publisher.set_alert_state("lobby", on=False)
            await inbox.until(lambda inbox: inbox.on("gend/streams/lobby/alert")[-1] == "OFF")
        await inbox.until(lambda inbox: inbox.on("gend/status")[-1] == "offline")
        return inbox


def lines(inbox: Inbox) -> Iterator[str]:
    """The exchange for people: topic and payload, in the order of arrival; the version left open."""
    for message in inbox.messages:
        assert isinstance(message.payload, bytes)
        payload = re.sub(r'"sw_version":"[^"]*"', '"sw_version":"…"', message.payload.decode())
        if message.topic.value.startswith("gend/alerts/"):
            payload = payload.partition(',"reason"')[0] + ",…}"
        yield f"{message.topic} {payload}"


async def _main() -> None:
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        print("\n".join(lines(await exchange(broker.config(), Path(name)))))


if __name__ == "__main__":
    asyncio.run(_main())
