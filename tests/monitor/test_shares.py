"""No login alone takes all that there is for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from monitor.access import LOCAL, Principal
from monitor.actions import Actions, BusyError
from monitor.calls import Calls, FullError
from monitor.config import MonitorConfig
from monitor.parts import load_parts
from monitor.pipeline import Pipeline
from tests.monitor.actions.acting import OPERATOR, VIEWER, acting

pytestmark = pytest.mark.anyio


class Closable(Protocol):
    def close(self) -> None: ...


async def _follow(actions: Actions, who: Principal) -> Closable:
    return await actions.live.follow(who, [], ["event"], None)


async def _board(actions: Actions, who: Principal) -> Closable:
    return actions.board.watch(who)


async def _picture(actions: Actions, who: Principal) -> Closable:
    return actions.pictures.watch(who, "lobby")


@pytest.mark.parametrize("begin", [_follow, _board, _picture])
async def test_one_login_leaves_room_for_others(begin: Callable[..., Any], tmp_path: Path) -> None:
    async with acting(tmp_path) as parts:
        begun: list[Closable] = [await begin(parts.actions, VIEWER) for _ in range(16)]
        with pytest.raises(BusyError, match=r"vera l.* 16 .*already"):
            await begin(parts.actions, VIEWER)
        begun.append(await begin(parts.actions, OPERATOR))
        begun.pop(0).close()
        begun.append(await begin(parts.actions, VIEWER))
        # Whoever sits at the machine has no share, but all.
        begun += [await begin(parts.actions, LOCAL) for _ in range(64 - len(begun))]
        with pytest.raises(BusyError, match="64"):
            await begin(parts.actions, LOCAL)
        for each in begun:
            each.close()


async def test_one_login_begins_half_of_the_calls() -> None:
    config = MonitorConfig.model_validate(
        {
            "streams": [{"name": "desk", "url": "whip:", "sessions": "many"}],
            "encoder": {"weights": "demo"},
            "webrtc": {"max_calls": 4},
            "workers": {"isolation": "thread"},
        }
    )
    pipeline = Pipeline(config, await asyncio.to_thread(load_parts, config), run_id="1")
    running = asyncio.create_task(pipeline.run(lambda _: None))
    try:
        configured: Any = SimpleNamespace(config=config, standing=asyncio.Lock())
        calls = Calls(pipeline, configured, lambda *_: None)
        first, _ = await calls.begin("desk", OPERATOR, "a"), await calls.begin("desk", OPERATOR, "b")
        with pytest.raises(FullError, match="otto has begun 2 calls"):
            await calls.begin("desk", OPERATOR, "c")
        await calls.begin("desk", VIEWER, "d")
        await calls.end(first.name, "over")
        await calls.begin("desk", OPERATOR, "e")
        await calls.begin("desk", None, "f")  # by the stream's own token, which is nobody's login
        with pytest.raises(FullError, match="4 calls are on already"):
            await calls.begin("desk", None, "g")
        await calls.end_of(["desk"], "over")
    finally:
        running.cancel()
        await pipeline.stop(lambda _: None, 5)
