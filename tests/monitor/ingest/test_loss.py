from __future__ import annotations

import itertools
import logging
import time
from pathlib import Path

import av
import pytest

from tests.faults.camera import Camera, Film
from tests.monitor.ingest.watching import Watched


def test_what_ffmpeg_says_of_losses_is_heard_and_not_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    film = Film.draw(tmp_path / "film.hevc", size=(640, 360), frame_s=0.02, codec="hevc")
    numbers = itertools.count()
    with (
        Camera(film, lose=lambda _: next(numbers) % 20 == 19) as camera,
        Watched(camera.url.replace("//", "//user:hunter2@"), transport="udp") as stream,
    ):
        stream.wait_for_frames(20)
        deadline = time.monotonic() + 10
        while stream.reader.statistics().packets_corrupt < 5 and time.monotonic() < deadline:
            stream.wait_for_frames(1)
    assert stream.reader.statistics().packets_corrupt >= 5
    assert [record for record in caplog.records if record.name.startswith("libav")] == []
    said = caplog.text + "".join(capfd.readouterr())
    assert "hunter2" not in said
    assert "RTP" not in said


def test_ffmpegs_log_is_left_to_whoever_reads_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    film = Film.draw(tmp_path / "film.h264")
    level, wanted = av.logging.get_level(), logging.getLogger("libav").level
    av.logging.set_level(av.logging.VERBOSE)
    try:
        with caplog.at_level(logging.DEBUG, "libav"), Camera(film) as camera, Watched(camera.url) as stream:
            stream.wait_for_frames(3)
            assert av.logging.get_level() == av.logging.VERBOSE
    finally:
        av.logging.set_level(level)
        logging.getLogger("libav").setLevel(wanted)
    assert [record for record in caplog.records if record.name.startswith("libav")]
