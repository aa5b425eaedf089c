"""Added streams are kept, with a line in the audit log for each change."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.access import AuditEntry, TakenError
from monitor.store import AddedRow, opened_added, read_added
from tests.monitor.store.examples import opened

pytest_plugins = ("tests.databases",)
pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENTRY = AuditEntry(NOW, "ada", "stream.add", "porch", "cli", "done")
PORCH = AddedRow("porch", {"url": "rtsp://user:s3cret@10.0.0.5/main", "ignore": [[[0, 0], [1, 0], [1, 1]]]}, "ada", NOW)


async def test_what_is_added_is_kept_until_it_is_removed(url: str) -> None:
    async with opened(url):
        async with opened_added(url) as store:
            await store.add(PORCH, ENTRY)
            await store.add(replace(PORCH, name="attic"), replace(ENTRY, about="attic"))
            with pytest.raises(TakenError, match="there is an added stream porch already"):
                await store.add(PORCH, ENTRY)
            assert await store.change(replace(PORCH, settings={"url": "whip:"}, by="ben"), ENTRY)
            assert not await store.change(replace(PORCH, name="cellar"), ENTRY)
        assert await read_added(url) == [
            replace(PORCH, name="attic"),
            replace(PORCH, settings={"url": "whip:"}, by="ben"),
        ]
        async with opened_added(url) as store:
            assert await store.remove("porch", ENTRY)
            assert not await store.remove("porch", ENTRY)
            assert [entry.about for entry in await store.audit(10)] == ["porch", "attic", "porch", "porch"]
        assert [row.name for row in await read_added(url)] == ["attic"]


async def test_there_are_none_before_the_first_start_and_after_an_older_version(
    sqlite_url: str, tmp_path: Path
) -> None:
    assert await read_added(sqlite_url) == []
    assert not list(tmp_path.iterdir())
    with sqlite3.connect(tmp_path / "alerts.db") as older:
        older.execute("CREATE TABLE alerts (x)")
    assert await read_added(sqlite_url) == []


async def test_a_database_is_its_owners_alone(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url), opened_added(sqlite_url) as store:
        await store.add(PORCH, ENTRY)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        # The reserve of disk space has nothing in it.
        assert {mode for name, mode in modes.items() if "reserve" not in name} == {0o600}, modes
