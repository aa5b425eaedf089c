"""A service takes call after call and holds nothing of them afterwards."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from pathlib import Path

import httpx

from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.parts import load_parts
from monitor.service import Started, serve
from tests.monitor.test_calls import Clip
from tests.webrtc_client import Publisher

CALLS = 5


def holders(calls: list[str]) -> list[str]:
    """Every container that still has something by the name of one of these calls."""
    return [
        f"{type(each).__name__} of {len(each)}: {key}"
        for each in gc.get_objects()
        if issubclass(type(each), (dict, set, frozenset, deque))
        for key in list(each)
        if isinstance(key, str) and "call-" in key and any(call in key for call in calls)
    ]


async def calls_of(http: httpx.AsyncClient) -> set[str]:
    items = (await http.get("/api/v1/streams")).json()["items"]
    return {stream["name"] for stream in items if stream["call_of"] is not None}


def test_nothing_is_held_of_calls_that_are_over(tmp_path: Path) -> None:
    asyncio.run(_take_calls(tmp_path))  # whose loop is held up by looking through everything that there is


async def _take_calls(tmp_path: Path) -> None:
    await asyncio.to_thread(make_clip, tmp_path / "fake.mp4", seconds=4, manipulated_from_s=0, names=["astronaut"])
    config = MonitorConfig.model_validate(
        {
            "streams": [{"name": "desk", "url": "whip:", "sessions": "many"}],
            "encoder": {"weights": "demo"},
            "faces": {"min_face_px": 60},
            "mqtt": {"url": "embedded:"},
            "store": {"url": f"sqlite+aiosqlite:///{tmp_path}/alerts.db"},
            "evidence": {"folder": tmp_path / "evidence", "clip_s": 0},
            "web": {"port": 0},
            "workers": {"isolation": "thread"},
        }
    )
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    parts = await asyncio.to_thread(load_parts, config)
    serving = asyncio.create_task(serve(config, parts, stop, started.set_result))
    try:
        async with asyncio.timeout(120):
            reached: Started = await started
            names = []
            async with httpx.AsyncClient(base_url=reached.web_url, timeout=30) as http:
                for _ in range(CALLS):
                    call = (await http.post("/api/v1/streams/desk/calls")).json()
                    names.append(call["name"])
                    authorised = {"Authorization": f"Bearer {call['token']}"}
                    publisher = await asyncio.to_thread(lambda: Publisher(film=Clip(tmp_path / "fake.mp4")))
                    at = f"{reached.web_url}{call['whip_url']}"
                    answer = await asyncio.to_thread(publisher.publish, at, token=call["token"])
                    assert answer.status_code == 201
                    while not (await http.get(f"/api/v1/streams/{call['name']}/verdicts")).json()["items"]:
                        await asyncio.sleep(0.05)
                    assert (await http.get(f"/api/v1/streams/{call['name']}/preview.jpg")).status_code == 200
                    if len(names) == 1:
                        assert holders(names)
                    assert publisher.session is not None
                    assert (await http.delete(publisher.session, headers=authorised)).status_code == 200
                    assert await calls_of(http) == set()
                    await asyncio.to_thread(publisher.__exit__)
                metrics = (await http.get("/metrics")).text
            assert not [name for name in names if name in metrics]
            while holders(names):  # until the broker has been told
                await asyncio.sleep(0.5)
    finally:
        stop.set()
        await serving
