"""Disks that are full, and databases that somebody else holds."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.store import Store
from tests.logs import told
from tests.monitor.store.examples import an_alert, opened

pytest_plugins = ("tests.databases",)


async def record_until_refused(store: Store) -> tuple[int, str]:
    """Records large alerts; returns how many were kept and what was said of the first that was not."""
    for number in range(1, 20_000):
        try:
            await store.record(an_alert(number, reason="x" * 20_000), ["mqtt"])
        except StoreError as error:
            return number - 1, str(error)
    raise AssertionError("the disk was never full")


@pytest.mark.anyio
async def test_full_disk_uses_the_reserve_then_fails_and_leaves_no_hole(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor.store")
    reserve = tmp_path / "alerts.db.reserve"
    async with opened(sqlite_url) as store:
        await store.record(an_alert(0), ["mqtt"])
        assert reserve.stat().st_size >= 8_000_000
        # The database may not grow any more, which SQLite reports exactly as a full disk.
        async with store._engine.begin() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
            await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        recorded, failure = await record_until_refused(store)
        assert failure == f"{tmp_path}/alerts.db: database or disk is full"
        assert not reserve.exists()
        assert not store.statistics().reserve_held

        async with store._engine.begin() as connection:
            await connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        kept = await store.record(an_alert(200), ["mqtt"])
        assert kept.sequence == recorded + 2
        assert store.statistics().reserve_held
        assert reserve.exists()
    assert [line.partition(": ")[2] for line in told(caplog)] == [
        "the disk is full: alerts go into the reserve",
        "space is reserved for alerts again",
    ]


@pytest.mark.anyio
async def test_locked_database_is_one_line_and_works_again_after(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.store.database._BUSY_TIMEOUT_MS", 50)
    async with opened(sqlite_url) as store:
        other = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"alerts\.db: database is locked$"):
            await store.record(an_alert(1), ["mqtt"])
        other.execute("ROLLBACK")
        other.close()
        assert (await store.record(an_alert(1), ["mqtt"])).sequence == 1


def test_full_disk_for_real(tmp_path: Path) -> None:
    """A tmpfs of 80 MB in a mount namespace of its own: recording ends only when even the reserve is used up."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces are not to be had here")
    fill = f'exec "{sys.executable}" -m {__package__}.full_disk {tmp_path}'
    script = f"mount -t tmpfs -o size=80m none {tmp_path} && {fill}"
    done = subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    kept_by_reserve, refusal, end = done.stdout.splitlines()
    assert int(kept_by_reserve) > 200
    assert refusal.endswith("alerts.db: database or disk is full")
    assert end == "recorded, no holes"
