from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time

import pytest

from tests.monitor.store.examples import an_alert, opened

pytestmark = pytest.mark.anyio


def run_and_kill(url: str, after_s: float) -> list[list[str]]:
    """Lets the child work for a while after its first alert, kills it, and returns what it had said by then."""
    child = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.recording_child", url], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(after_s)
    child.kill()
    said = (first + child.stdout.read()).splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    return [line.split() for line in said if line.endswith("\n")]


async def test_killed_at_any_moment_nothing_is_lost_or_doubled(url: str) -> None:
    said: list[list[str]] = []
    for _ in range(5):
        said += await asyncio.to_thread(run_and_kill, url, random.uniform(0, 0.2))
    recorded = {line[1]: (line[2], int(line[3])) for line in said if line[0] == "recorded"}
    delivered = {line[1] for line in said if line[0] == "delivered"}
    assert len(recorded) >= 5

    async with opened(url) as store:
        assert store.run_id == 6
        alerts = await store.alerts(1_000_000)
        pending = await store.pending("mqtt", 1_000_000)
    kept = {alert.id: (alert.stream, alert.sequence) for alert in alerts}
    assert len(kept) == len(alerts), "an id is kept twice"
    assert recorded.items() <= kept.items(), "something said to be safe is lost or has another number"
    # Who is killed between the commit and the line that tells of it leaves one alert that nobody was told of.
    assert len(kept) - len(recorded) <= 5
    for stream in ("s0", "s1"):
        numbers = [alert.sequence for alert in alerts if alert.stream == stream]
        assert numbers == list(range(1, len(numbers) + 1)), "sequence has holes"
    waiting = [row.alert.id for row in pending]
    assert len(waiting) == len(set(waiting))
    assert not delivered & set(waiting), "something delivered waits again"
    assert 0 <= len(kept) - len(waiting) - len(delivered) <= 5, "an alert has lost its row in the outbox"


def start_and_kill(url: str, after_s: float) -> None:
    child = subprocess.Popen([sys.executable, "-m", f"{__package__}.recording_child", url], stdout=subprocess.DEVNULL)
    time.sleep(after_s)
    child.kill()
    child.wait()


async def test_killed_while_it_starts_leaves_a_database_that_opens(sqlite_url: str) -> None:
    for _ in range(3):
        await asyncio.to_thread(start_and_kill, sqlite_url, random.uniform(0.4, 1.0))
    async with opened(sqlite_url) as store:
        alerts = await store.alerts(1_000_000)
        assert (await store.record(an_alert(), ["mqtt"])).sequence == 1
    assert len({alert.id for alert in alerts}) == len(alerts)
