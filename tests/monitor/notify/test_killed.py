from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.monitor.notify.running import a_webhook, notifying
from tests.monitor.publish.running import until
from tests.monitor.store.examples import opened
from tests.webhook_receiver import HANG, Receiver

pytestmark = pytest.mark.anyio


async def test_killed_at_any_moment_every_alert_reaches_the_webhook_in_order(
    receiver: Receiver, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/killed.db"
    said = ""
    for number in range(4):
        before = len(receiver.requests)
        # In every second life, killed with a delivery in flight.
        hanging_from = before + 3 if number % 2 else 10**9
        receiver.answer = lambda _, limit=hanging_from: HANG if len(receiver.requests) >= limit else 200  # type: ignore[misc]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"{__package__}.notifying_child", url, receiver.url, stdout=PIPE
        )
        await until(lambda before=before: len(receiver.requests) > before + 2, 60)  # type: ignore[misc]
        await asyncio.sleep(random.uniform(0, 0.2))
        child.kill()
        said += (await child.communicate())[0].decode()
    receiver.answer = lambda _: 200
    async with opened(url) as store, notifying([a_webhook(receiver.url)], store):
        await until(lambda: sum(store.statistics().waiting.values()) == 0, 60)
        recorded = [alert.id for alert in await store.alerts(1_000_000)]

    received = [ids[0] for ids in receiver.taken_ids()]
    assert {line.split()[1] for line in said.splitlines()} <= set(recorded)
    assert list(dict.fromkeys(received)) == recorded
    # Taken twice is at most what was under way when the process died.
    assert len(received) - len(recorded) <= 4
