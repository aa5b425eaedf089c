"""Server-sent events over a real connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from monitor.broadcast import Broadcast, News
from monitor.messages import Event, Status, Verdict
from monitor.metrics import sample_registry
from monitor.web import Health, WebServer, create_app
from monitor.web.api.event_stream import EventStream
from monitor.web.api.events import told
from monitor.web_config import WebConfig
from tests.monitor.actions.acting import ADMIN, SINCE, Acting, acting
from tests.monitor.store.examples import an_alert
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

VERDICT = Verdict("lobby", "1-1", 0.0, "suspect", 8.5, 16.0, 9, 0.8)


@dataclass
class Told:
    """One event."""

    event: str
    data: str
    id: str | None


@asynccontextmanager
async def serving(folder: Path, broadcast: Broadcast | None = None) -> AsyncIterator[tuple[str, Acting]]:
    async with acting(folder, broadcast) as parts:
        web = WebServer(WebConfig(port=0))
        health = Health(True, "ok", "ok", "connected", {})
        app = create_app(WebConfig(port=0), lambda: health, sample_registry(list), actions=parts.actions)
        task = asyncio.create_task(web.run(app))
        try:
            yield web.url, parts
        finally:
            parts.live.broadcast.close()
            web.stop()
            await task


@asynccontextmanager
async def listening(url: str, query: str = "", last_id: str | None = None) -> AsyncIterator[AsyncIterator[Told]]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as http,
        http.stream("GET", f"{url}/api/v1/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.aiter_lines())


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Told]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Told(fields["event"], fields["data"], fields.get("id"))
            fields = {}


async def until(condition: object) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def heard(events: AsyncIterator[Told], count: int) -> list[Told]:
    async with asyncio.timeout(PATIENCE_S):
        return [await anext(events) for _ in range(count)]


async def test_listener_hears_everything_as_subscribers_of_mqtt_do(tmp_path: Path) -> None:
    async with serving(tmp_path) as (url, parts), listening(url) as events:
        live = parts.live
        await until(lambda: live.broadcast.statistics().subscribers)
        alert = await parts.store.record(an_alert(1), [])
        live.decided(VERDICT)
        live.recorded(alert)
        live.happened(Event("lobby", "starvation", 0.0, "1-1", "crops wait too long"))
        live.changed(Status("lobby", "stalled", SINCE))
        told = await heard(events, 4)
    assert [each.event for each in told] == ["verdict", "alert", "event", "status"]
    assert [each.id for each in told] == [None, "id-1", "id-1", "id-1"]
    assert json.loads(told[0].data)["state"] == "suspect"
    assert json.loads(told[1].data)["sequence"] == 1
    assert json.loads(told[2].data)["kind"] == "starvation"
    assert json.loads(told[3].data) == {
        "stream": "lobby",
        "state": "stalled",
        "since": "2026-01-31T12:00:00.000Z",
        "degraded": [],
        "reason": None,
        "fps": 0.0,
        "faces": 0,
        "snoozed_until": None,
    }


async def test_listener_hears_only_what_was_asked_for(tmp_path: Path) -> None:
    query = "?stream=gate&types=alert&types=status"
    async with serving(tmp_path) as (url, parts), listening(url, query) as events:
        await until(lambda: parts.live.broadcast.statistics().subscribers)
        parts.live.decided(replace(VERDICT, stream="gate"))
        parts.live.recorded(an_alert(1, stream="lobby"))
        parts.live.recorded(an_alert(2, stream="gate"))
        parts.live.changed(Status("lobby", "live", SINCE))
        parts.live.changed(Status("gate", "live", SINCE))
        told = await heard(events, 2)
    assert [(each.event, json.loads(each.data)["stream"]) for each in told] == [("alert", "gate"), ("status", "gate")]


async def test_alerts_that_were_missed_are_told_first_and_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as (url, parts):
        for number in range(250):
            stream = "gate" if number == 7 else "lobby"
            alert = await parts.store.record(an_alert(number, stream=stream), [])
        async with listening(url, "?types=alert&stream=lobby", last_id="id-4") as events:
            await until(lambda: parts.live.broadcast.statistics().subscribers)
            parts.live.recorded(alert)  # was recorded before it listened, and told after
            last = await parts.store.record(an_alert(250), [])
            parts.live.recorded(last)
            told = await heard(events, 245)
    assert [each.id for each in told] == [f"id-{number}" for number in range(5, 251) if number != 7]


async def test_listener_with_an_unknown_last_id_is_told_of_a_gap(tmp_path: Path) -> None:
    async with serving(tmp_path) as (url, parts):
        await parts.store.record(an_alert(1), [])
        async with listening(url, last_id="nothing") as events:
            (gap,) = await heard(events, 1)
    assert (gap.event, gap.data, gap.id) == ("dropped", '{"dropped": null}', "id-1")


async def test_slow_listener_loses_the_oldest_is_told_so_and_holds_nobody_up(tmp_path: Path) -> None:
    broadcast = Broadcast(waiting=16)
    async with serving(tmp_path, broadcast) as (url, _):
        address = url.removeprefix("http://").split(":")
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address[0], int(address[1])))
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(slow, f"GET /api/v1/events HTTP/1.1\r\nHost: {':'.join(address)}\r\n\r\n".encode())
        await until(lambda: broadcast.statistics().subscribers == 1)
        async with listening(url) as events:
            await until(lambda: broadcast.statistics().subscribers == 2)
            sent = 0
            while not broadcast.statistics().dropped:  # what the sockets hold is told without loss
                broadcast.tell(News("event", "lobby", json.dumps({"number": sent, "text": "x" * 100_000})))
                (each,) = await heard(events, 1)
                assert json.loads(each.data)["number"] == sent
                sent += 1
                assert sent < 2000
            # Who was slow is told once there is room again.
            received = b""
            async with asyncio.timeout(PATIENCE_S):
                while b"event: dropped" not in received:
                    received = received[-100:] + await loop.sock_recv(slow, 1_000_000)
        slow.close()
        await until(lambda: broadcast.statistics().subscribers == 0)


async def test_listener_that_takes_nothing_is_let_go(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts:
        following = await parts.actions.live.follow(ADMIN, [], ["event"], None)
        response = EventStream(told(following), following.close, gone_s=0.2)
        stuck = asyncio.Event()

        async def never() -> dict[str, str]:
            await asyncio.Event().wait()
            return {}

        async def takes_nothing(message: object) -> None:
            if isinstance(message, dict) and message.get("body"):
                stuck.set()
                await asyncio.Event().wait()

        async with asyncio.timeout(PATIENCE_S):
            await response({"type": "http"}, never, takes_nothing)
        assert stuck.is_set()
        assert parts.live.broadcast.statistics().subscribers == 0


async def test_connection_without_news_is_kept_by_heartbeats(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts:
        following = await parts.actions.live.follow(ADMIN, [], ["event"], None)
        sent: list[bytes] = []

        async def leaves() -> dict[str, str]:
            while sent.count(b": heartbeat\n\n") < 2:
                await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}

        async def take(message: object) -> None:
            if isinstance(message, dict):
                sent.append(message.get("body", b""))

        async with asyncio.timeout(PATIENCE_S):
            await EventStream(told(following), following.close, heartbeat_s=0.05)({"type": "http"}, leaves, take)
        assert parts.live.broadcast.statistics().subscribers == 0
    assert sent[1] == b"retry: 3000\n\n"


async def test_who_comes_when_too_many_listen_is_asked_to_come_later(tmp_path: Path) -> None:
    async with serving(tmp_path, Broadcast(most=1)) as (url, parts):
        async with listening(url):
            async with httpx.AsyncClient() as http:
                refused = await http.get(f"{url}/api/v1/events")
            assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
            assert refused.headers["retry-after"] == "5"
        await until(lambda: not parts.live.broadcast.statistics().subscribers)
        async with listening(url):
            pass


async def test_end_of_the_service_ends_every_listening(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as client:
        async with serving(tmp_path) as (url, parts):
            events = await client.enter_async_context(listening(url))
            await until(lambda: parts.live.broadcast.statistics().subscribers)
        async with asyncio.timeout(PATIENCE_S):
            assert [each async for each in events] == []
