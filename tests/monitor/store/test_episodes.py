from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from monitor.store import EpisodeFilter, EpisodeReader, ReviewStore
from monitor.store.episodes import _conditions
from monitor.store.tables import alerts
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[EpisodeReader]:
    reader = await EpisodeReader.open(url)
    try:
        yield reader
    finally:
        await reader.aclose()


async def names(reader: EpisodeReader, **asked: Any) -> list[str]:
    return [episode.alert_id for episode in await reader.episodes(EpisodeFilter(**asked), 100)]


async def test_episode_tells_what_its_messages_and_reviews_come_to(url: str) -> None:
    async with opened(url) as store, reading(url) as reader:
        raised = await store.record(an_alert(1, evidence=16.5), ["mqtt"])
        await store.record(an_alert(2), [])
        await store.record(an_alert(3, alert_id="episode-1", type="updated", evidence=21.0), [])
        last = await store.record(an_alert(4, alert_id="episode-1", type="cleared", evidence=0.5), [])
        people = await ReviewStore.open(url)
        await people.review("episode-1", "wrong", by="anna")
        await people.aclose()
        second, first = await reader.episodes(EpisodeFilter(), 10)
        assert (first.raised, first.latest, first.state, first.count) == (raised, last, "cleared", 3)
        assert (first.peak_evidence, first.reviewed and first.reviewed.answer) == (21.0, "wrong")
        assert (second.state, second.count, second.reviewed) == ("open", 1, None)
        assert await reader.episode("episode-1") == first
        assert await reader.episode("episode-9") is None
        assert [message.id for message in await reader.messages("episode-1", 2)] == ["id-4", "id-3"]
        assert [message.id for message in await reader.messages("episode-1", 2, before=3)] == ["id-1"]


async def test_filters_choose_episodes(url: str) -> None:
    async with opened(url) as store, reading(url) as reader:
        for number in range(1, 5):
            at = NOON + timedelta(hours=number)
            await store.record(an_alert(number, at=at, stream="gate" if number % 2 else "lobby"), [])
        await store.record(an_alert(9, alert_id="episode-2", type="cleared", verdict="clear"), [])
        people = await ReviewStore.open(url)
        await people.review("episode-3", "right")
        await people.aclose()
        assert await names(reader) == ["episode-4", "episode-3", "episode-2", "episode-1"]
        assert await names(reader, streams=frozenset({"gate"})) == ["episode-3", "episode-1"]
        assert await names(reader, streams=frozenset()) == []
        assert await names(reader, since=NOON + timedelta(hours=3)) == ["episode-4", "episode-3"]
        assert await names(reader, until=NOON + timedelta(hours=3)) == ["episode-2", "episode-1"]
        assert await names(reader, state="cleared") == ["episode-2"]
        assert await names(reader, state="open") == ["episode-4", "episode-3", "episode-1"]
        assert await names(reader, reviewed=True) == ["episode-3"]
        assert await names(reader, reviewed=False) == ["episode-4", "episode-2", "episode-1"]
        assert await names(reader, verdict="clear") == ["episode-2"]
        assert await names(reader, verdict="fake", state="open", streams=frozenset({"gate"}), reviewed=False) == [
            "episode-1"
        ]


async def test_messages_after_one_are_found_for_who_was_away(url: str) -> None:
    async with opened(url) as store, reading(url) as reader:
        assert await reader.newest() is None
        for number in range(1, 5):
            await store.record(an_alert(number, stream="gate" if number % 2 else "lobby"), [])
        assert await reader.newest() == "id-4"
        assert [alert.id for alert in await reader.recorded_after("id-2", 10)] == ["id-3", "id-4"]
        assert [alert.id for alert in await reader.recorded_after("id-2", 1)] == ["id-3"]
        assert [alert.id for alert in await reader.recorded_after("id-1", 10, frozenset({"lobby"}))] == ["id-2", "id-4"]
        assert [alert.id for alert in await reader.recorded_after("", 2)] == ["id-1", "id-2"]
        assert (await reader.knows("id-4"), await reader.knows("id-5")) == (True, False)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"streams": frozenset({"lobby"})}, "ix_alerts_configured_type_position"),
        ({"since": NOON, "until": NOON}, "ix_alerts_at"),
        ({"state": "open"}, "ix_alerts_alert_id"),
        ({"reviewed": False}, "ix_reviews_alert_id"),
    ],
)
async def test_filters_use_indexes(sqlite_url: str, tmp_path: Path, asked: dict[str, Any], index: str) -> None:
    async with opened(sqlite_url) as store:
        await store.record(an_alert(1), [])
    found = select(alerts.c.position).where(*_conditions(EpisodeFilter(**asked)))
    found = found.order_by(alerts.c.position.desc()).limit(10)
    engine = create_engine(f"sqlite:///{tmp_path}/alerts.db")
    with engine.connect() as connection:
        compiled = found.compile(engine, compile_kwargs={"literal_binds": True})
        plan = "\n".join(row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    engine.dispose()
    assert index in plan
    # Whatever is not limited by a time is found in its order, so that a page is done when it is full.
    assert ("TEMP B-TREE" in plan) is ("since" in asked)


async def test_alerts_of_an_older_version_are_found_by_time(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url) as store:
        for number in range(1, 4):
            await store.record(an_alert(number, at=NOON + timedelta(hours=number)), [])
    database = sqlite3.connect(tmp_path / "alerts.db")
    for statement in (
        "DROP TABLE added_streams",
        "DROP INDEX ix_alerts_at",
        "DROP INDEX ix_alerts_stream_type_position",
        "DROP INDEX ix_alerts_configured_type_position",
        "ALTER TABLE alerts DROP COLUMN configured",
        "ALTER TABLE alerts DROP COLUMN at",
        "UPDATE alembic_version SET version_num = '0003'",
    ):
        database.execute(statement)
    database.commit()
    database.close()
    async with opened(sqlite_url), reading(sqlite_url) as reader:
        assert await names(reader, since=NOON + timedelta(hours=2)) == ["episode-3", "episode-2"]
        assert await names(reader, streams=frozenset({"lobby"})) == ["episode-3", "episode-2", "episode-1"]


async def test_alerts_of_calls_are_found_by_their_stream_and_by_their_own_name(sqlite_url: str) -> None:
    call = f"call-{'a' * 24}"
    async with opened(sqlite_url) as store, reading(sqlite_url) as reader:
        await store.record(an_alert(1, stream="lobby"), [])
        await store.record(an_alert(2, stream=call, call_of="desk"), [])
        await store.record(an_alert(3, stream="desk"), [])
        assert await names(reader, streams=frozenset({"desk"})) == ["episode-3", "episode-2"]
        assert await names(reader, streams=frozenset({call})) == ["episode-2"]
        assert await names(reader, streams=frozenset({"lobby", call})) == ["episode-2", "episode-1"]
        assert (await reader.call_of(call), await reader.call_of("lobby")) == ("desk", None)
        told = await reader.recorded_after("id-1", 10, frozenset({"desk"}))
        assert [alert.id for alert in told] == ["id-2", "id-3"]


async def test_reading_goes_on_in_the_file_that_stands_there(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url) as store, reading(sqlite_url) as reader:
        await store.record(an_alert(1), [])
        assert await names(reader) == ["episode-1"]
        (tmp_path / "alerts.db").unlink()
        await store.record(an_alert(2), [])
        assert await names(reader) == ["episode-2", "episode-1"]


async def test_reading_keeps_nobody_from_writing(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store, reading(sqlite_url) as reader:
        writing = [store.record(an_alert(number), []) for number in range(20)]
        looking = [reader.episodes(EpisodeFilter(), 10) for _ in range(20)]
        await asyncio.gather(*writing, *looking)
        assert len(await reader.episodes(EpisodeFilter(), 100)) == 20
