from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest

from monitor.check import check
from monitor.config import MonitorConfig
from monitor.errors import MonitorError
from monitor.publish import try_broker
from tests.broker import Mosquitto
from tests.monitor.ingest.clips import make_clip
from tests.whep_server import WhepServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for shade in range(10):
            picture = np.full((240, 320, 3), 20 * shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_check_tells_what_each_stream_is_and_which_cannot_be_watched(tape: Path) -> None:
    streams = [
        {"name": "tape", "url": f"file:{tape}"},
        {"name": "gone", "url": "file:/nowhere.mp4"},
        {"name": "refused", "url": "rtsp://viewer:s3cret@127.0.0.1:9/main"},
    ]
    config = MonitorConfig.model_validate({"streams": streams, "mqtt": {"url": "embedded:"}})
    report = await check(config, timeout_s=5)
    found = {stream.name: stream for stream in report.streams}
    assert not report.ok
    assert (found["tape"].codec, found["tape"].width, found["tape"].height) == ("h264", 320, 240)
    assert found["tape"].fps == pytest.approx(10)
    assert "No such file" in (found["gone"].error or "")
    assert "refused" in (found["refused"].error or "")
    assert "s3cret" not in repr(report)
    assert report.mqtt == "embedded"


async def test_check_opens_substreams_too(tape: Path, tmp_path: Path) -> None:
    small = await asyncio.to_thread(make_clip, tmp_path / "small.mp4", size=(160, 120))
    wide = await asyncio.to_thread(make_clip, tmp_path / "wide.mp4", size=(160, 90))
    urls = {"good": f"file:{small}", "wide": f"file:{wide}", "gone": "file:/nowhere.mp4",
            "refused": "rtsp://viewer:s3cret@127.0.0.1:9/sub"}  # fmt: skip
    streams = [{"name": name, "url": f"file:{tape}", "detect_url": url} for name, url in urls.items()]
    streams.append({"name": "main", "url": "file:/nowhere.mp4", "detect_url": f"file:{small}"})
    config = MonitorConfig.model_validate({"streams": streams, "mqtt": {"url": "embedded:"}})
    report = await check(config, timeout_s=5)
    found = {stream.name: stream for stream in report.streams}
    assert [name for name, stream in found.items() if stream.ok] == ["good"]
    assert (found["good"].width, found["good"].height) == (320, 240)
    assert found["good"].note == "faces are found on its substream, h264 160 x 120"
    assert (found["wide"].error or "").startswith("detect_url: its pictures are 160 x 90 px, those of the main stream")
    assert (found["gone"].error or "").startswith("detect_url: cannot open: No such file")
    assert (found["refused"].error or "").startswith("detect_url: cannot open: Connection refused")
    assert "detect_url" not in (found["main"].error or "")
    assert "s3cret" not in repr(report)


@pytest.fixture
def media() -> Iterator[WhepServer]:
    with WhepServer("a-token-for-whep") as running:
        yield running


async def test_check_waits_for_no_publisher_and_fetches_what_is_fetched(media: WhepServer) -> None:
    streams = [
        {"name": "call", "url": "whip:", "token": "long enough"},
        {"name": "lobby", "url": media.url(), "token": "a-token-for-whep"},
        {"name": "refused", "url": media.url(), "token": "another-token"},
    ]
    config = MonitorConfig.model_validate({"streams": streams, "mqtt": {"url": "embedded:"}})
    report = await check(config, timeout_s=20)
    call, lobby, refused = report.streams
    assert (call.ok, call.note) == (True, "waits for a publisher at /whip/call, with its token")
    assert (lobby.ok, lobby.codec, lobby.width, lobby.height) == (True, "vp8", 320, 240)
    assert lobby.fps == pytest.approx(30, rel=0.5)
    assert refused.error == "cannot open: the server refuses the token (401)"


async def test_check_is_ok_where_everything_answers(tape: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path, username="gend", password="pw") as broker:
        mqtt = {"url": broker.url, "username": "gend", "password": "pw"}
        config = MonitorConfig.model_validate({"streams": [{"name": "tape", "url": f"file:{tape}"}], "mqtt": mqtt})
        report = await check(config, timeout_s=5)
    assert report.ok
    assert report.mqtt == "ok"


async def test_try_broker_names_what_is_wrong(tmp_path: Path, silent_port: int) -> None:
    refused = pytest.raises(MonitorError, match=r"mqtt://127.0.0.1:\d+: refused: .*; check mqtt.username")
    with Mosquitto(tmp_path, username="gend", password="right") as broker, refused:
        await try_broker(broker.config(password="wrong"), 5)
    config = MonitorConfig.model_validate({"streams": [{"name": "a", "url": "file:a"}]}).mqtt
    with pytest.raises(MonitorError, match=f"mqtt://127.0.0.1:{silent_port}: no answer within 1 s"):
        await try_broker(config.model_copy(update={"url": f"mqtt://127.0.0.1:{silent_port}"}), 1)


async def test_silent_streams_do_not_keep_the_broker_from_being_tried(tmp_path: Path, silent_port: int) -> None:
    # As on a machine of few cores. The loop's end waits for it.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))
    streams = [{"name": f"silent-{number}", "url": f"rtsp://127.0.0.1:{silent_port}/{number}"} for number in range(12)]
    timeout_s = 4
    with Mosquitto(tmp_path) as broker:
        config = MonitorConfig.model_validate({"streams": streams, "mqtt": {"url": broker.url}})
        began = time.monotonic()
        report = await check(config, timeout_s)
        took_s = time.monotonic() - began
    assert report.mqtt == "ok"
    assert [stream.ok for stream in report.streams] == 12 * [False]
    assert took_s < 2 * timeout_s
