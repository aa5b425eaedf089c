from __future__ import annotations

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from monitor.errors import StoreError
from monitor.messages import Answer
from monitor.store import ReviewedEpisode, ReviewStore
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio


async def reviewed(url: str) -> list[ReviewedEpisode]:
    store = await ReviewStore.open(url)
    try:
        return await store.reviewed_episodes()
    finally:
        await store.aclose()


async def test_reviews_are_written_while_the_service_records(url: str) -> None:
    async with opened(url) as service:
        await service.record(an_alert(0), ["mqtt"])
        people = [await ReviewStore.open(url) for _ in range(2)]
        recording = [service.record(an_alert(number), ["mqtt"]) for number in range(1, 21)]
        said = [
            person.review("episode-0", "right", by=f"person {number}")
            for number, person in enumerate(people)
            for _ in range(10)
        ]
        await asyncio.gather(*recording, *said)
        for person in people:
            await person.aclose()
        assert len(await service.alerts(100)) == 21
        assert (await service.record(an_alert(21), ["mqtt"])).sequence == 22
    (episode,) = await reviewed(url)
    assert len(episode.reviews) == 20


async def test_reviewed_episode_tells_what_calibration_needs(url: str) -> None:
    async with opened(url) as service:
        raised = await service.record(an_alert(1, evidence=16.5), ["mqtt"])
        await service.record(an_alert(2), [])  # nobody reviews it
        await service.record(an_alert(3, alert_id="episode-1", type="updated", evidence=21.0), [])
        await service.record(an_alert(4, alert_id="episode-1", type="cleared", evidence=0.5), [])
        store = await ReviewStore.open(url)
        before = datetime.now(UTC)
        told = await store.review("episode-1", "wrong", by=" anna ", note="a poster\nin the hall")
        await store.aclose()
    (episode,) = await reviewed(url)
    assert episode == told
    assert episode.raised == raised
    assert (episode.alert_id, episode.stream, episode.track) == ("episode-1", "lobby", "1-7")
    assert (episode.evidence, episode.peak_evidence, episode.threshold) == (16.5, 21.0, 16.0)
    (review,) = episode.reviews
    assert (review.answer, review.by, review.note) == ("wrong", "anna", "a poster\nin the hall")
    assert before <= review.at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("said", "answer", "contradiction"),
    [
        ([("right", "a")], "right", None),
        ([("right", None), ("wrong", None)], "wrong", None),
        ([("right", "a"), ("wrong", "b")], "unsure", "right by a, wrong by b"),
        ([("right", "a"), ("wrong", "b"), ("right", "c")], "unsure", "right by a and c, wrong by b"),
        ([("right", "a"), ("wrong", "b"), ("wrong", "A")], "wrong", None),
        ([("right", "a"), ("wrong", None)], "unsure", "right by a, wrong by somebody"),
        ([("right", "a"), ("unsure", "b")], "unsure", None),
        ([("unsure", "b"), ("right", "a")], "right", None),
        ([("right", "a"), ("wrong", "b"), ("unsure", "c")], "unsure", "right by a, wrong by b"),
    ],
)
async def test_answer_is_the_last_word_unless_people_contradict_each_other(
    sqlite_url: str, said: list[tuple[Answer, str | None]], answer: Answer, contradiction: str | None
) -> None:
    async with opened(sqlite_url) as service:
        await service.record(an_alert(1), [])
        store = await ReviewStore.open(sqlite_url)
        for word, by in said:
            await store.review("episode-1", word, by=by)
        await store.aclose()
    (episode,) = await reviewed(sqlite_url)
    assert (episode.answer, episode.contradiction) == (answer, contradiction)
    assert [(review.answer, review.by) for review in episode.reviews] == said


async def test_review_of_what_is_not_there_is_refused(url: str) -> None:
    async with opened(url) as service:
        await service.record(an_alert(1), [])
        store = await ReviewStore.open(url)
        with pytest.raises(StoreError, match=r"no alert has the alert_id nothing$"):
            await store.review("nothing", "right")
        with pytest.raises(StoreError, match=r"no alert has the alert_id id-1; that is the id of .* episode-1"):
            await store.review("id-1", "right")
        with pytest.raises(StoreError, match="note: at most 2000 characters, not 2001"):
            await store.review("episode-1", "right", note="x" * 2001)
        assert await store.reviewed_episodes() == []
        await store.aclose()


async def test_unreviewed_episodes_are_those_of_which_nobody_said_anything(url: str) -> None:
    async with opened(url) as service:
        for number in range(4):
            await service.record(an_alert(number), [])
        await service.record(an_alert(9, alert_id="episode-0", type="cleared"), [])
        store = await ReviewStore.open(url)
        for episode, answer in zip((1, 2), get_args(Answer), strict=False):
            await store.review(f"episode-{episode}", answer)
        assert [alert.alert_id for alert in await store.unreviewed_episodes(10)] == ["episode-0", "episode-3"]
        assert [alert.alert_id for alert in await store.unreviewed_episodes(1)] == ["episode-3"]
        await store.aclose()


async def test_last_snooze_of_each_stream_counts_and_the_service_sees_it(url: str) -> None:
    later = datetime(2126, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    async with opened(url) as service:
        store = await ReviewStore.open(url)
        await store.snooze("lobby", later + timedelta(days=1), by="anna")
        await store.snooze("gate", later)
        await store.snooze("lobby", later)
        assert await service.snoozes() == await store.snoozes() == {"lobby": later, "gate": later}
        await store.snooze("lobby", now := datetime.now(UTC))
        assert (await service.snoozes())["lobby"] == now
        await store.aclose()


async def test_review_waits_for_who_is_writing(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url) as service:
        await service.record(an_alert(1), [])
    store = await ReviewStore.open(sqlite_url)
    other = sqlite3.connect(tmp_path / "alerts.db", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    assert (await store.review("episode-1", "right")).answer == "right"
    release.join()
    other.close()
    await store.aclose()


@pytest.mark.parametrize(
    ("revision", "complaint"),
    [
        ("0001", "made by an older version; start the service once to bring it up to date"),
        ("9999", r"made by a newer version of gend-monitor \(schema 9999\)"),
    ],
)
async def test_database_of_another_version_is_refused_and_left_alone(url: str, revision: str, complaint: str) -> None:
    async with opened(url) as service, service._engine.begin() as connection:
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    with pytest.raises(StoreError, match=complaint) as refusal:
        await ReviewStore.open(url)
    assert "\n" not in str(refusal.value)
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == revision
    await engine.dispose()


async def test_open_makes_no_database(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file; the service makes it when it first starts"):
        await ReviewStore.open(sqlite_url)
    assert not list(tmp_path.iterdir())
