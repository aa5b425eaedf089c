from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from monitor.errors import StoreError
from monitor.messages import Alert
from monitor.store import AlertReader, OutboxRow, Store
from tests.monitor.store.examples import an_alert, opened
from tests.monitor.store.relay import relayed

if TYPE_CHECKING:
    from tests.databases import Postgres

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio


def ids(found: list[Alert] | list[OutboxRow]) -> list[str]:
    return [item.alert.id if isinstance(item, OutboxRow) else item.id for item in found]


async def test_record_keeps_every_field(url: str) -> None:
    async with opened(url) as store:
        kept = await store.record(an_alert(mean_probability=None), ["mqtt"])
    async with opened(url) as store:
        assert await store.alerts(10) == [kept]
        assert kept == an_alert(mean_probability=None, sequence=1)


async def test_record_numbers_each_stream_without_holes(url: str) -> None:
    async with opened(url) as store:
        recorded = await asyncio.gather(
            *(store.record(an_alert(number, stream=f"s{number % 3}"), ["mqtt"]) for number in range(30))
        )
    for stream in ("s0", "s1", "s2"):
        assert sorted(alert.sequence or 0 for alert in recorded if alert.stream == stream) == list(range(1, 11))


async def test_record_again_changes_nothing(url: str) -> None:
    async with opened(url) as store:
        first = await store.record(an_alert(1), ["mqtt"])
        await store.record(an_alert(2), ["mqtt"])
        assert await store.record(an_alert(1), ["mqtt"]) == first
        assert ids(await store.pending("mqtt", 10)) == ["id-1", "id-2"]
        assert store.statistics().waiting == {"mqtt": 2}


async def test_record_cancelled_at_any_moment_leaves_no_hole(url: str) -> None:
    async with opened(url) as store:
        for number in range(40):
            recording = asyncio.create_task(store.record(an_alert(number), ["mqtt"]))
            await asyncio.sleep(number * 1e-4)
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)
        last = await store.record(an_alert(100), ["mqtt"])
        rows = await store.pending("mqtt", 100)
    assert [row.alert.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert rows[-1].alert == last


async def test_pending_holds_a_message_for_each_sink_until_that_sink_has_it(url: str) -> None:
    async with opened(url) as store:
        for number in range(3):
            await store.record(an_alert(number), ["mqtt", "webhook"])
        for row in await store.pending("mqtt", 2):
            await store.delivered(row)
            await store.delivered(row)
        assert ids(await store.pending("mqtt", 10)) == ["id-2"]
        assert ids(await store.pending("webhook", 10)) == ["id-0", "id-1", "id-2"]
        assert store.statistics().waiting == {"mqtt": 1, "webhook": 3}
    async with opened(url) as store:
        assert ids(await store.pending("mqtt", 10)) == ["id-2"]
        assert store.statistics().waiting == {"mqtt": 1, "webhook": 3}


async def test_statistics_say_since_when_the_oldest_message_waits_for_each_sink(url: str) -> None:
    at = [datetime(2026, 1, 31, 12, minute, tzinfo=UTC) for minute in range(3)]
    async with opened(url) as store:
        assert store.statistics().oldest == {}
        for number, moment in enumerate(at):
            await store.record(an_alert(number, at=moment), ["mqtt", "webhook"])
        assert store.statistics().oldest == {"mqtt": at[0], "webhook": at[0]}
        first, second, third = await store.pending("mqtt", 10)
        await store.delivered(second)
        assert store.statistics().oldest["mqtt"] == at[0]
        await store.delivered(first)
        assert store.statistics().oldest == {"mqtt": at[2], "webhook": at[0]}
        await store.delivered(third)
        assert store.statistics().oldest == {"webhook": at[0]}
        await store.record(an_alert(3, at=at[1]), ["mqtt"])
        assert store.statistics().oldest == {"mqtt": at[1], "webhook": at[0]}
    async with opened(url) as store:  # that it was left to is a former run's
        assert store.statistics().oldest == {"mqtt": at[1], "webhook": at[0]}


async def test_commit_whose_answer_is_lost_is_counted_once(postgres_url: str) -> None:
    async def again(call: Callable[[], Awaitable[object]]) -> None:
        relay.lose_commit = True
        with pytest.raises(StoreError):
            await call()
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(StoreError):  # "in use", until the server has noticed
                    await call()
                    return

    async with relayed(postgres_url) as (url, relay), opened(url) as store:
        await again(lambda: store.record(an_alert(1), ["mqtt"]))
        assert store.statistics().waiting == {"mqtt": 1}
        (row,) = await store.pending("mqtt", 10)
        await again(lambda: store.delivered(row))
        assert store.statistics().waiting == {"mqtt": 0}
        assert store.statistics().delivered == 1


async def test_delivered_rows_are_forgotten_in_time_but_alerts_stay(url: str) -> None:
    async def rows(store: Store) -> int:
        async with store._engine.connect() as connection:
            return await connection.scalar(text("SELECT count(*) FROM outbox")) or 0

    async with opened(url) as store:
        for number in range(3):
            await store.record(an_alert(number), ["mqtt"])
        await store.delivered((await store.pending("mqtt", 1))[0])
        assert await rows(store) == 3
    async with opened(url, keep_delivered=timedelta(0)) as store:
        await store.delivered((await store.pending("mqtt", 1))[0])
        assert await rows(store) == 2
        await store.delivered((await store.pending("mqtt", 1))[0])
        assert await rows(store) == 1
        assert len(await store.alerts(10)) == 3


async def test_open_episodes_are_those_not_cleared_by_their_latest_message(url: str) -> None:
    async with opened(url) as store:
        await store.record(an_alert(1, alert_id="a"), [])
        await store.record(an_alert(2, alert_id="b"), [])
        await store.record(an_alert(3, alert_id="a", type="updated", evidence=20.0), [])
        await store.record(an_alert(4, alert_id="b", type="cleared"), [])
        await store.record(an_alert(5, alert_id="c"), [])
        assert ids(await store.open_episodes()) == ["id-3", "id-5"]


async def test_close_open_episodes_clears_what_a_former_run_left(url: str) -> None:
    async with opened(url) as store:
        await store.record(an_alert(1, alert_id="a"), ["mqtt"])
        await store.record(an_alert(2, alert_id="b"), ["mqtt"])
    async with opened(url) as store:
        cleared = await store.close_open_episodes(lambda _: ["mqtt"])
        assert [(alert.alert_id, alert.type, alert.reason, alert.sequence) for alert in cleared] == [
            ("a", "cleared", "restarted", 3),
            ("b", "cleared", "restarted", 4),
        ]
        assert {(alert.verdict, alert.evidence) for alert in cleared} == {("inconclusive", 0.0)}
        assert len({alert.id for alert in cleared} | {"id-1", "id-2"}) == 4
        assert await store.close_open_episodes(lambda _: ["mqtt"]) == []
        assert [row.alert.sequence for row in await store.pending("mqtt", 10)] == [1, 2, 3, 4]


async def test_run_id_is_never_used_twice(url: str) -> None:
    seen = []
    for _ in range(3):
        async with opened(url) as store:
            seen.append(store.run_id)
    assert seen == sorted(set(seen))


async def test_alerts_are_read_beside_the_service(url: str) -> None:
    async with opened(url) as store:
        for number in range(5):
            await store.record(an_alert(number), ["mqtt"])
        reader = await AlertReader.open(url)
        assert ids(await reader.alerts(2)) == ["id-3", "id-4"]
        await store.record(an_alert(5), ["mqtt"])
        assert ids(await reader.alerts(10, after="id-3")) == ["id-4", "id-5"]
        assert ids(await reader.alerts(1, after="id-0")) == ["id-1"]
        with pytest.raises(StoreError, match="no alert has the id nothing"):
            await reader.alerts(1, after="nothing")
        await reader.aclose()
    reader = await AlertReader.open(url)
    assert len(await reader.alerts(10)) == 6
    await reader.aclose()


async def test_open_refuses_a_second_service(url: str) -> None:
    async with opened(url):
        with pytest.raises(StoreError, match="in use by another gend-monitor") as refusal:
            await Store.open(url)
        assert "\n" not in str(refusal.value)
    async with opened(url) as store:
        assert store.run_id == 2


async def test_open_refused_by_a_server_says_when_a_dead_holder_is_forgotten(postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        with pytest.raises(StoreError, match="if its machine has died, free 40 s after that at the latest"):
            await Store.open(postgres_url)
        async with store._engine.connect() as connection:
            idle, interval, count, unanswered = [
                int(
                    (
                        await connection.execute(text(f"SELECT setting FROM pg_settings WHERE name = '{name}'"))
                    ).scalar_one()
                )
                for name in (
                    "tcp_keepalives_idle",
                    "tcp_keepalives_interval",
                    "tcp_keepalives_count",
                    "tcp_user_timeout",
                )
            ]
    assert idle + interval * count == unanswered / 1000 == 40


async def test_sqlite_is_durable_and_enforces_references(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store, store._engine.connect() as connection:
        settings = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert settings == ["wal", 2, 1, 5000]  # 2 is FULL


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite+aiosqlite://", "name a file; alerts must outlive the process"),
        ("sqlite+aiosqlite:///:memory:", "name a file; alerts must outlive the process"),
        ("sqlite+aiosqlite:////no/such/folder/a.db", "/no/such/folder/a.db: .*No such file or directory"),
        ("postgresql+asyncpg://user:secret@127.0.0.1:1/x", "Connect call failed"),
        ("not a url", "not a database URL"),
    ],
)
async def test_open_says_in_one_line_what_is_wrong(url: str, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint) as failure:
        await Store.open(url)
    assert "\n" not in str(failure.value)
    assert "secret" not in str(failure.value)


async def test_open_refuses_what_is_no_database(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_bytes(os.urandom(5000))
    for _ in range(2):  # the lock is let go
        with pytest.raises(StoreError, match=r"alerts\.db: file is not a database"):
            await Store.open(sqlite_url)


async def test_server_that_wants_another_user_is_one_line(postgres_url: str) -> None:
    with pytest.raises(StoreError, match="does not exist") as failure:
        await Store.open(postgres_url.replace("tests@", "nobody:secret@"))
    assert "secret" not in str(failure.value)


async def test_server_that_restarts_costs_one_failure_and_no_number(postgres: Postgres, postgres_url: str) -> None:
    async with opened(postgres_url) as store:
        await store.record(an_alert(1), ["mqtt"])
        await asyncio.to_thread(postgres.restart)
        with pytest.raises(StoreError, match=r"^postgresql\+asyncpg://\*\*\*@127.0.0.1:") as failure:
            await store.record(an_alert(2), ["mqtt"])
        assert "\n" not in str(failure.value)
        assert (await store.record(an_alert(2), ["mqtt"])).sequence == 2


async def test_rows_are_ticked_off_together(url: str) -> None:
    async with opened(url) as store:
        for number in range(4):
            await store.record(an_alert(number), ["a", "b"])
        rows = await store.pending("a", 10)
        await store.delivered(*rows[1:])
        assert ids(await store.pending("a", 10)) == ["id-0"]
        assert len(await store.pending("b", 10)) == 4
        assert store.statistics().waiting == {"a": 1, "b": 4}
        assert store.statistics().delivered == 3


async def test_pending_leaves_streams_out(url: str) -> None:
    async with opened(url) as store:
        for number in range(6):
            await store.record(an_alert(number, stream=f"s{number % 3}"), ["a"])
        assert ids(await store.pending("a", 3, without=["s0", "s2"])) == ["id-1", "id-4"]


async def test_last_delivered_is_told_by_stream_and_after_a_restart(url: str) -> None:
    before = datetime.now(UTC)
    async with opened(url) as store:
        for number in range(4):
            await store.record(an_alert(number, stream=f"s{number % 3}"), ["a", "b"])
        rows = await store.pending("a", 10)
        await store.delivered(rows[0])
        first = (await store.last_delivered("a", before))["s0"]
        await store.delivered(rows[1], rows[3])
    async with opened(url) as store:
        last = await store.last_delivered("a", before)
        assert set(last) == {"s0", "s1"}
        assert before <= first < last["s0"] == last["s1"] <= datetime.now(UTC)
        assert await store.last_delivered("b", before) == {}
        assert await store.last_delivered("a", datetime.now(UTC)) == {}
