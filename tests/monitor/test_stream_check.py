"""A stream that somebody wants to add is tried by a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.added_stream import AddedStreamConfig
from monitor.reach_config import ReachConfig
from monitor.stream_check import check_stream
from monitor.stream_config import StreamConfig
from tests.waiting import PATIENCE_S
from tests.whep_server import WhepServer

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]

HERE = ReachConfig(schemes=["rtsp", "whep+http"], networks=["127.0.0.1/32", "0.0.0.0/0", "::/0"])
PASSWORD, TOKEN = "s3cr3t-of-it", "a-token-of-the-media-server"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server to which anybody may connect, and that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def added(url: str, within: ReachConfig = HERE, **fields: str) -> AddedStreamConfig:
    return AddedStreamConfig.bound(StreamConfig.model_validate({"name": "porch", "url": url, **fields}), within)


def camera(server: socket.socket, within: ReachConfig = HERE) -> AddedStreamConfig:
    return added(f"rtsp://user:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/main", within)


def children() -> list[Path]:
    """The processes that look at streams for this one, in /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            command = process.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and b"monitor.ingest.probe_child" in command:
            found.append(process)
    return found


@pytest.fixture
def media() -> Iterator[WhepServer]:
    with WhepServer(TOKEN) as running:
        yield running


async def test_what_is_in_it_is_found_elsewhere(media: WhepServer) -> None:
    found = await check_stream(added(media.url(), token=TOKEN), PATIENCE_S)
    assert (found.ok, found.width, found.height, found.error) == (True, 320, 240, None)
    assert children() == []


async def test_what_crashes_its_process_is_said_and_it_is_told_no_secrets(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEND_MQTT_PASSWORD", "of-the-service")
    checking = asyncio.create_task(check_stream(camera(silent), PATIENCE_S))
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        connection, _ = await loop.sock_accept(silent)
    with connection:
        (child,) = children()
        open_to_all = child.joinpath("cmdline").read_bytes() + child.joinpath("environ").read_bytes()
        assert PASSWORD.encode() not in open_to_all
        assert b"of-the-service" not in open_to_all
        os.kill(int(child.name), signal.SIGSEGV)
        found = await checking
    assert (found.ok, found.error) == (False, "the process that looked at it has ended over it")


async def test_who_says_nothing_is_left_in_time_and_no_process_stays(silent: socket.socket) -> None:
    found = await check_stream(camera(silent), 1.5)
    assert (found.ok, found.error) == (False, "no picture within 1.5 s")
    assert children() == []


async def test_a_look_that_nobody_waits_for_any_more_ends(silent: socket.socket) -> None:
    checking = asyncio.create_task(check_stream(camera(silent), PATIENCE_S))
    async with asyncio.timeout(PATIENCE_S):
        while not children():
            await asyncio.sleep(0.02)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert children() == []


async def test_its_process_connects_only_where_the_stream_may_lead(silent: socket.socket) -> None:
    found = await check_stream(camera(silent, ReachConfig()), PATIENCE_S)
    assert found.error is not None
    assert "127.0.0.1 is a loopback address" in found.error
    with pytest.raises(BlockingIOError):
        silent.accept()
