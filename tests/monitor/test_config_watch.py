from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from monitor.config_watch import ConfigWatch

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.config_watch._LOOK_EVERY_S", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "monitor.yaml"
    path.write_text("one")
    return path


async def changed(watch: ConfigWatch) -> None:
    async with asyncio.timeout(20):
        await watch.changed()


async def test_an_edited_file_is_a_change_once(path: Path) -> None:
    watch = ConfigWatch(path)
    path.write_text("another")
    await changed(watch)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await watch.changed()


async def test_a_file_put_in_its_place_is_a_change_and_one_that_is_away_is_none(path: Path) -> None:
    watch = ConfigWatch(path)
    path.unlink()
    waiting = asyncio.create_task(changed(watch))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    (path.parent / "new").write_text("one")
    (path.parent / "new").rename(path)
    await waiting


async def test_what_is_asked_for_is_read_though_nothing_has_changed(path: Path) -> None:
    watch = ConfigWatch(path)
    watch.ask()
    await changed(watch)
