from __future__ import annotations

import asyncio
import threading

import pytest

from monitor.messages import Preview
from monitor.previews import FullError, Previews, PreviewStatistics

pytestmark = pytest.mark.anyio


def a_preview(at_s: float, stream: str = "lobby") -> Preview:
    return Preview(stream, at_s, b"jpeg", 1280, 720, ())


async def test_all_who_look_get_the_same_one() -> None:
    looks: list[str] = []
    previews = Previews(lambda stream, _: looks.append(stream))
    looking = [asyncio.create_task(previews.newer("lobby", None, 20)) for _ in range(3)]
    while len(looks) < 3:
        await asyncio.sleep(0)
    made = a_preview(1)
    threading.Thread(target=previews.put, args=(made,)).start()
    assert [await each is made for each in looking] == [True] * 3
    assert looks == ["lobby"] * 3


async def test_only_newer_ones_are_given() -> None:
    previews = Previews(lambda *_: None)
    previews.put(a_preview(1))
    previews.put(a_preview(1, "gate"))
    first = await previews.newer("lobby", None, 20)
    assert first is not None
    assert await previews.newer("lobby", first.at_s, 0.05) is None
    previews.put(a_preview(2))
    second = await previews.newer("lobby", first.at_s, 20)
    assert second is not None
    assert second.at_s == 2


async def test_what_was_kept_from_an_earlier_look_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    previews = Previews(lambda *_: None)
    previews.put(a_preview(1))
    assert await previews.newer("lobby", None, 20) is not None
    monkeypatch.setattr("monitor.previews._FRESH_S", 0.0)
    await asyncio.sleep(0.01)
    assert await previews.newer("lobby", None, 0.05) is None


async def test_a_stream_that_is_watched_no_more_has_none() -> None:
    previews = Previews(lambda *_: None)
    previews.put(a_preview(1))
    assert await previews.newer("lobby", None, 20) is not None
    previews.forget("lobby")
    assert await previews.newer("lobby", None, 0.05) is None


async def test_as_many_look_as_may_and_all_stop_waiting_with_the_service() -> None:
    previews = Previews(lambda *_: None)
    looking = [previews.look("lobby") for _ in range(64)]
    with pytest.raises(FullError, match="64 look at streams already"):
        previews.look("lobby")
    assert previews.statistics() == PreviewStatistics(looking=64, refused=1)
    looking.pop().close()
    looking.append(previews.look("lobby"))
    waiting = [asyncio.create_task(each.next(600)) for each in looking]
    await asyncio.sleep(0.05)
    previews.close()
    assert await asyncio.gather(*waiting) == [None] * 64
    assert looking[0].over
