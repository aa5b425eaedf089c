from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.broker import Mosquitto, listening
from tests.monitor.publish.running import publishing
from tests.monitor.store.examples import opened

pytestmark = pytest.mark.anyio


async def test_killed_at_any_moment_every_alert_arrives_in_order_under_its_one_id(
    broker: Mosquitto, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/killed.db"
    said = ""
    async with listening(broker.config()) as inbox:
        for _ in range(5):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"{__package__}.publishing_child", url, broker.url, stdout=PIPE
            )
            while await inbox.next("gend/status") != "online":
                pass
            await asyncio.sleep(random.uniform(0, 0.3))
            child.kill()
            said += (await child.communicate())[0].decode()
            # The broker speaks for who no longer can.
            await inbox.until(lambda inbox: inbox.on("gend/status")[-1] == "offline")
        async with opened(url) as store, publishing(broker.config(), store) as publisher:
            assert await publisher.drain(10)
            recorded = await store.alerts(1_000_000)
        await inbox.until(lambda inbox: len({json.loads(p)["id"] for p in inbox.on("gend/alerts/#")}) == len(recorded))

    assert len(recorded) >= 5
    assert {line.split()[1] for line in said.splitlines()} <= {alert.id for alert in recorded}
    for stream in ("s0", "s1"):
        received = [json.loads(payload) for payload in inbox.on(f"gend/alerts/{stream}")]
        first_receipts = list(dict.fromkeys((payload["id"], payload["sequence"]) for payload in received))
        assert first_receipts == [(alert.id, alert.sequence) for alert in recorded if alert.stream == stream]
        # Sent again is at most what was under way when the process died.
        assert len(received) - len(first_receipts) <= 5
