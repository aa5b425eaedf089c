from __future__ import annotations

from pathlib import Path

import av
import pytest

from monitor.errors import SourceError
from monitor.ingest import StreamProbe, probe
from monitor.ingest.decoder import Picture
from monitor.ingest.probe import _measured_fps
from monitor.stream_config import StreamConfig
from tests.monitor.ingest.clips import make_clip
from tests.rtsp_server import RtspServer


def stream(url: str) -> StreamConfig:
    return StreamConfig.model_validate({"name": "lobby", "url": url})


def test_probe_tells_what_a_camera_sends(camera: RtspServer) -> None:
    found = probe(stream(camera.url("main")), 10)
    assert (found.codec, found.width, found.height) == ("h264", 160, 120)
    assert found.fps == pytest.approx(25, rel=0.01)
    assert camera.wait_for("teardown")


def test_probe_finds_a_rate_that_the_session_does_not_describe(long_clip: Path) -> None:
    with RtspServer({"main": long_clip}, payload="ts") as camera:
        found = probe(stream(camera.url("main")), 15)
    assert (found.codec, found.width, found.height) == ("h264", 160, 120)
    assert found.fps == pytest.approx(25, rel=0.01)


def test_probe_tells_what_a_file_holds(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=5, size=(322, 242))
    assert probe(stream(f"file:{clip}"), 10) == StreamProbe("h264", 322, 242, 25.0)


def test_probe_names_the_stream_and_hides_its_password(camera: RtspServer) -> None:
    url = camera.url("attic").replace("//", "//user:hunter2@")
    with pytest.raises(SourceError) as caught:
        probe(stream(url), 5)
    assert str(caught.value) == "cannot open: Server returned 404 Not Found"
    assert caught.value.__cause__ is None


def test_probe_does_not_wait_for_a_server_that_is_silent(camera: RtspServer) -> None:
    camera.freeze()
    with pytest.raises(SourceError, match=r"(cannot open: no answer within|no picture within) \d s"):
        probe(stream(camera.url("main")), 1)


def test_a_rate_that_nothing_declares_is_measured() -> None:
    pictures = [Picture(av.VideoFrame(16, 16), pts_s, trusted=True) for pts_s in (None, 7.0, 7.1, 7.2, 7.3)]
    assert _measured_fps(pictures) == pytest.approx(10)
    assert _measured_fps(pictures[:2]) is None
