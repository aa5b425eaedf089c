"""Readers on a real RTSP server: played to, cut off, left hanging, refused."""

from __future__ import annotations

import gc
import itertools
import logging
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import av
import psutil
import pytest

from monitor.clock import LiveClock
from monitor.ingest import PacketRing, write_clip
from tests.logs import told
from tests.monitor.ingest.watching import BRISK, Watched
from tests.rtsp_server import RtspServer


def test_frames_come_trusted_in_order_and_on_the_clock(camera: RtspServer) -> None:
    with Watched(camera.url("main")) as watched:
        frames = watched.wait_for_frames(30)
    assert watched.states == ["connecting", "live", "stopped"]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(before.at_s <= after.at_s for before, after in itertools.pairwise(frames))
    assert all(frame.trusted for frame in frames)
    assert frames[0].small(80).shape == (60, 80, 3)
    statistics = watched.reader.statistics()
    assert (statistics.state, statistics.decode_errors, statistics.reconnects) == ("stopped", 0, 0)
    assert statistics.frames >= 30
    assert statistics.fps > 5
    assert statistics.bytes > 1000


def test_a_clip_of_the_last_seconds_plays(camera: RtspServer, tmp_path: Path) -> None:
    ring = PacketRing(10, 10**7, LiveClock())
    with Watched(camera.url("main"), ring=ring) as watched:
        watched.wait_for_frames(60)
        clip = write_clip(ring.cut(), tmp_path / "clip")
    with av.open(str(clip)) as written:
        pictures = list(written.decode(video=0))
    assert clip.suffix == ".mp4"
    assert pictures[0].key_frame
    assert len(pictures) >= 50
    times = [picture.time or 0.0 for picture in pictures]
    assert all(0 < after - before < 0.5 for before, after in itertools.pairwise(times))


def test_stop_says_goodbye_to_the_server(camera: RtspServer) -> None:
    with Watched(camera.url("main")) as watched:
        watched.wait_for_frames(1)
    assert camera.wait_for("teardown") == "teardown"
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"read-lobby", "watch-lobby"})


def test_a_killed_server_is_connected_to_again(camera: RtspServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Watched(camera.url("main")) as watched:
        watched.wait_for_frames(5)
        camera.kill()
        watched.wait_for("connecting", reason="Connection refused")
        camera.start()
        watched.wait_for("live")
        again = watched.wait_for_frames(30)
    assert watched.states == ["connecting", "live", "connecting", "live", "stopped"]
    assert again[-1].trusted
    assert watched.reader.statistics().reconnects >= 1
    # However often it was tried, and for whatever reasons: one line for each change of state.
    assert told(caplog, "monitor.ingest") == [
        "lobby: live",
        "lobby: connecting, connection lost: the other end closed it",
        "lobby: live",
        "lobby: stopped",
    ]


def test_a_frozen_server_stalls_one_stream_and_not_the_other(camera: RtspServer, long_clip: Path) -> None:
    with (
        RtspServer({"main": long_clip}) as other_camera,
        Watched(camera.url("main"), stall_s=1) as watched,
        Watched(other_camera.url("main"), name="other") as other,
    ):
        watched.wait_for_frames(5)
        other.wait_for_frames(5)
        camera.freeze()
        watched.wait_for("stalled", reason="no frame for 1 s")
        other.wait_for_frames(5)
        camera.thaw()
        watched.wait_for("live")
        watched.wait_for_frames(5)
    assert watched.went_through("connecting", "live", "stalled", "live", "stopped")
    assert other.states == ["connecting", "live", "stopped"]


def test_a_server_frozen_for_long_is_given_up_and_tried_again(camera: RtspServer) -> None:
    with Watched(camera.url("main"), stall_s=1, patience=replace(BRISK, open_s=1)) as watched:
        watched.wait_for_frames(5)
        camera.freeze()
        watched.wait_for("connecting", reason="nothing arrived")
        watched.wait_for("connecting", reason="no answer within 1 s")
        camera.thaw()
        watched.wait_for("live")
        watched.wait_for_frames(5)
    assert watched.went_through("live", "stalled", "connecting", "live", "stopped")


def test_stopping_a_hanging_reader_does_not_wait_for_it(camera: RtspServer, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(camera.url("main"), stall_s=3)
    watched.reader.start()
    watched.wait_for_frames(5)
    camera.freeze()
    watched.wait_for("stalled")  # all that was on its way has been read
    assert watched.reader.stop(0.2) is False
    assert watched.statuses[-1].state == "stopped"
    assert "its thread is left behind" in caplog.text
    told = len(watched.statuses)
    camera.thaw()
    for thread in [thread for thread in threading.enumerate() if thread.name == "read-lobby"]:
        thread.join(20)
        assert not thread.is_alive()
    assert len(watched.statuses) == told


def test_reasons_do_not_tell_the_password(
    long_clip: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with RtspServer({"main": long_clip}, user="viewer", password="right/p@ss#1") as camera:
        right = camera.url("main")
        pasted = unquote(right)
        wrong = right.replace("right", "wr0ng")
        for url, state, reason in [
            (right, "live", ""),
            (pasted, "live", ""),
            (wrong, "connecting", "401 Unauthorized"),
            (camera.url("main", credentials=False), "connecting", "401 Unauthorized"),
            (right.replace("main", "attic"), "connecting", "404 Not Found"),
        ]:
            with Watched(url) as watched:
                watched.wait_for(state, reason=reason)
            told = caplog.text + str(watched.statuses) + "".join(capfd.readouterr())
            for secret in ("viewer", "right", "wr0ng", "p@ss", "p%40ss"):
                assert secret not in told


def test_reconnecting_leaks_neither_files_nor_threads(camera: RtspServer) -> None:
    process = psutil.Process()

    def fail_on_demand(_: object) -> None:
        if fail.is_set():
            fail.clear()
            raise ConnectionError("made up")

    fail = threading.Event()
    with Watched(camera.url("main"), on_frame=fail_on_demand) as watched:
        figures = []
        for _ in range(5):
            watched.wait_for_frames(3)
            gc.collect()
            figures.append((process.num_fds(), process.num_threads()))
            fail.set()
            watched.wait_for("connecting")
            assert camera.wait_for("teardown")
            watched.wait_for("live")
    assert watched.reader.statistics().reconnects == 5
    assert figures[1:] == [figures[0]] * 4


def test_a_transport_stream_over_rtsp_is_probed_for_its_video(long_clip: Path) -> None:
    with (
        RtspServer({"main": long_clip}, payload="ts") as camera,
        Watched(camera.url("main"), patience=replace(BRISK, open_s=10)) as watched,
    ):
        frames = watched.wait_for_frames(5)
    assert (frames[0].width, frames[0].height) == (160, 120)
