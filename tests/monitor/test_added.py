"""Added streams are merged with those of the file, at little cost."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.access import AuditEntry
from monitor.added import AddedStreams, merged
from monitor.config import MonitorConfig
from monitor.store import AddedRow, opened_added
from tests.monitor.actions.acting import a_configuration
from tests.monitor.store.examples import made

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def row(name: str, **settings: Any) -> AddedRow:
    return AddedRow(name, {"url": "rtsp://10.0.0.5/main", **settings}, "ada", NOW)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads in which a whole configuration was checked."""
    threads: list[int] = []
    check = MonitorConfig.model_validate

    def checked(*arguments: Any, **options: Any) -> MonitorConfig:
        threads.append(threading.get_ident())
        return check(*arguments, **options)

    monkeypatch.setattr(MonitorConfig, "model_validate", checked)
    return threads


def test_streams_that_go_together_are_checked_together(tmp_path: Path, checks: list[int]) -> None:
    file = a_configuration(tmp_path)
    checks.clear()
    whole = merged(file, [row(f"porch-{number}") for number in range(30)] + [row("gate")])
    assert [stream.name for stream in whole.config.streams[:3]] == ["lobby", "gate", "porch-0"]
    assert (len(whole.config.streams), list(whole.left_out)) == (32, ["gate"])
    assert len(checks) == 1


def test_what_does_not_go_with_the_rest_is_left_out_alone(tmp_path: Path) -> None:
    file = a_configuration(tmp_path)
    rows = [row("porch"), row("hall", adapter="none"), row("attic", url="file:x.mp4"), row("yard"), row("lobby")]
    whole = merged(file, rows)
    assert [stream.name for stream in whole.config.streams] == ["lobby", "gate", "porch", "yard"]
    assert sorted(whole.left_out) == ["attic", "hall", "lobby"]
    assert whole.left_out["hall"].startswith("adapter: ")
    assert "file: cannot be added" in whole.left_out["attic"]
    assert merged(file, []).config is file


@pytest.mark.anyio
async def test_the_event_loop_does_not_wait_for_it(tmp_path: Path, checks: list[int]) -> None:
    await made(tmp_path)
    file = a_configuration(tmp_path)
    added = AddedStreams(file, tmp_path / "monitor.yaml")
    async with opened_added(added.url) as store:
        await store.add(row("porch"), AuditEntry(NOW, "ada", "stream.add", "porch", "127.0.0.1", "done", None))
    checks.clear()
    assert len((await added.merge(file)).config.streams) == 3
    assert checks
    assert threading.get_ident() not in checks
