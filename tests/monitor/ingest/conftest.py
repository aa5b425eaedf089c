from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.monitor.ingest.clips import make_clip
from tests.rtsp_server import RtspServer


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds, a keyframe every 0.4 s."""
    return make_clip(tmp_path_factory.mktemp("clips") / "two-seconds.mp4")


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute, a keyframe every second, with B-frames."""
    return make_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=750, size=(160, 120), gop=25, b_frames=2)


@pytest.fixture
def camera(long_clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"main": long_clip}) as server:
        yield server
