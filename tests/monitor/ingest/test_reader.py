"""Readers on everything but RTSP, and what they do with what they read."""

from __future__ import annotations

import functools
import http.server
import itertools
import logging
import os
import shutil
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import pytest

from monitor.ingest import AvFrame, Reader
from monitor.messages import Frame
from tests.monitor.ingest.clips import make_clip
from tests.monitor.ingest.watching import Watched
from tests.ports import free_port

_LATE_S = 0.2


def test_a_recording_is_paced_as_live_and_ends(clip: Path) -> None:
    with Watched(f"file:{clip}") as watched:
        watched.wait_for("stopped", reason="end of file")
    frames = watched.frames
    assert len(frames) == 50
    for before, after in itertools.pairwise(frames):
        assert before.pts_s is not None
        assert after.pts_s is not None
        assert after.at_s > before.at_s
    # A picture may come late on a busy machine, the first as well, but never before it is due.
    assert frames[-1].at_s - frames[0].at_s > 49 / 25 - _LATE_S
    assert watched.states == ["connecting", "live", "stopped"]


def test_a_looped_recording_goes_on_without_a_seam(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "short.mp4", frames=10)
    with Watched(f"file:{clip}", loop=True) as watched:
        watched.wait_for_frames(25)
    frames = watched.frames
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert all(before.at_s < after.at_s for before, after in itertools.pairwise(frames))
    assert all(frame.trusted for frame in frames)
    assert [frame.pts_s for frame in frames[10:20]] == [frame.pts_s for frame in frames[:10]]
    assert frames[20].at_s - frames[0].at_s > 20 / 25 - _LATE_S
    assert watched.states == ["connecting", "live", "stopped"]
    assert watched.reader.statistics().reconnects == 0


def test_a_recording_with_a_damaged_end_ends_there(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", frames=20)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with Watched(f"file:{clip}") as watched:
        watched.wait_for("stopped", reason="end of")
    assert 3 < len(watched.frames) < 20


def test_a_missing_recording_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later.mp4"
    with Watched(f"file:{path}") as watched:
        watched.wait_for("connecting", reason="cannot open: No such file or directory")
        make_clip(tmp_path / "made.mp4", frames=5).rename(path)
        watched.wait_for("stopped", reason="end of file")
    assert len(watched.frames) == 5


def test_unwanted_frames_are_counted_and_the_newest_is_handed_on(clip: Path) -> None:
    handed: list[Frame] = []

    def after_a_fifth_of_a_second(at_s: float) -> bool:
        return not handed or at_s >= handed[-1].at_s + 0.19

    with Watched(f"file:{clip}", wanted=after_a_fifth_of_a_second, on_frame=handed.append) as watched:
        watched.wait_for("stopped")
    figures = watched.reader.statistics()
    assert (figures.frames, figures.unwanted) == (50, 50 - len(handed))
    assert 5 <= len(handed) <= 11
    # What waited for its turn to be decoded is not taken for what is seen now.
    lags = []
    for before, after in itertools.pairwise(handed):
        assert before.pts_s is not None
        assert after.pts_s is not None
        lags.append(abs((after.at_s - before.at_s) - (after.pts_s - before.pts_s)))
    assert statistics.median(lags) < 0.15


def test_a_callback_that_raises_costs_the_connection_and_not_the_reader(
    clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = itertools.count()

    def fail_twice(frame: Frame) -> None:
        if next(calls) in {2, 3}:
            raise ValueError("no room for rtsp://user:hunter2@camera/")

    with Watched(f"file:{clip}", on_frame=fail_twice) as watched:
        watched.wait_for("connecting", reason="internal error: ValueError: no room for rtsp://***@camera/")
        watched.wait_for("stopped", reason="end of file")
    assert watched.reader.statistics().reconnects == 2
    assert "hunter2" not in caplog.text


def test_a_reading_thread_that_dies_is_replaced(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = itertools.count()

    def exit_once(frame: Frame) -> None:
        if next(calls) == 3:
            raise SystemExit("rtsp://user:hunter2@camera/ is not wanted")

    with Watched(f"file:{clip}", on_frame=exit_once, stall_s=1) as watched:
        watched.wait_for("connecting", reason="the reading thread died of SystemExit: rtsp://***@camera/ is not wanted")
        watched.wait_for("stopped", reason="end of file")
    assert watched.reader.statistics().crashed == 1
    assert len(watched.frames) == 4 + 50
    assert "hunter2" not in caplog.text


def test_a_thread_that_cannot_be_begun_is_tried_again(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the limit of threads of a container."""
    refusals = iter([RuntimeError("can't start new thread")] * 2)
    start = threading.Thread.start

    def refuse_twice(thread: threading.Thread) -> None:
        for refusal in refusals:
            raise refusal
        start(thread)

    calls = itertools.count()

    def exit_once(frame: Frame) -> None:
        if next(calls) == 3:
            monkeypatch.setattr(threading.Thread, "start", refuse_twice)
            raise SystemExit

    with Watched(f"file:{clip}", on_frame=exit_once, stall_s=1) as watched:
        watched.wait_for("connecting", reason="internal error: RuntimeError: can't start new thread")
        watched.wait_for("stopped", reason="end of file")
    assert watched.reader.statistics().crashed == 1


def test_damaged_frames_are_handed_on_distrusted_and_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.h264", frames=40)
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 800] = bytes(800)
    clip.write_bytes(content)
    with Watched(f"file:{clip}") as watched:
        watched.wait_for("stopped")
    distrusted = sum(not frame.trusted for frame in watched.frames)
    assert 0 < distrusted < len(watched.frames)
    assert watched.frames[-1].trusted
    assert watched.reader.statistics().distrusted == distrusted
    assert watched.reader.statistics().decode_errors > 0


def test_threads_stuck_in_the_kernel_are_replaced_up_to_a_bound(tmp_path: Path, clip: Path) -> None:
    path, pipe = tmp_path / "camera.mp4", tmp_path / "pipe"
    os.mkfifo(path)  # opening it blocks, out of reach of FFmpeg's time-outs, until someone writes
    watched = Watched(f"file:{path}", stall_s=1)
    watched.reader.start()
    watched.wait_for("connecting", reason="its thread is left behind, 3 so far")
    time.sleep(3)  # long enough for one more, were it not for the bound
    assert watched.reader.statistics().abandoned == 3
    stuck = [thread for thread in threading.enumerate() if thread.name == "read-lobby"]
    assert len(stuck) == 4

    path.rename(pipe)
    shutil.copy(clip, path)
    with pipe.open("wb"):
        pass
    watched.wait_for("stopped", reason="end of file")
    for thread in stuck:
        thread.join(20)
    assert not any(thread.is_alive() for thread in stuck)
    assert len(watched.frames) == 50  # those left behind had nothing to say
    assert watched.reader.stop(5)


def test_stop_before_start_is_harmless(clip: Path) -> None:
    assert Watched(f"file:{clip}").reader.stop(1)


def test_a_recording_over_http_is_paced_too(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mkv", frames=20)
    with serving(tmp_path) as base, Watched(f"{base}/a.mkv?token=hunter2") as watched:
        watched.wait_for("connecting", reason="the other end closed it")
        frames = watched.frames[:20]
    assert frames[-1].at_s - frames[0].at_s > 19 / 25 - _LATE_S
    assert "hunter2" not in str(watched.statuses)


def test_http_errors_are_named(clip: Path) -> None:
    with serving(clip.parent) as base, Watched(f"{base}/absent.mp4") as watched:
        watched.wait_for("connecting", reason="404 Not Found")


def test_pictures_are_distrusted_after_lost_packets_until_a_keyframe(clip: Path) -> None:
    """An MPEG transport stream over UDP, through a relay that loses a datagram now and then."""
    with relayed(clip) as relay, Watched(f"udp://127.0.0.1:{relay.port}", stall_s=2) as watched:
        frames = watched.wait_for_frames(10)
        assert (frames[-1].width, frames[-1].height) == (320, 240)
        relay.lose_every = 40
        watched.wait_for_frames(60)
        relay.lose_every = 0
        watched.wait_for_frames(30)
        relay.over.set()
        watched.wait_for("stalled")
    distrusted = [frame for frame in watched.frames if not frame.trusted]
    assert 0 < len(distrusted) < len(watched.frames)
    for before, after in itertools.pairwise(watched.frames):
        if after.trusted and not before.trusted:
            assert isinstance(after, AvFrame)
            assert after.picture.key_frame
    assert watched.frames[-1].trusted


def test_a_stall_is_told_and_counted_where_the_connection_is_lost_before_anybody_has_looked(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "_look", lambda _: None)
    with relayed(clip) as relay, Watched(f"udp://127.0.0.1:{relay.port}", stall_s=1) as watched:
        watched.wait_for_frames(10)
        relay.over.set()
        watched.wait_for("connecting", reason="nothing arrived")
        assert watched.went_through("live", "stalled", "connecting")
        assert watched.reader.statistics().stalls == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rtsp://user:hunter2@127.0.0.1:9/x", "cannot open: Connection refused"),
        ("rtsp://user:hunter2@host.invalid/x", "cannot open: host name not found"),
        ("rtsp://user:hunter2@us/er@127.0.0.1:9/x", "cannot open: host name not found"),
        ("device:/dev/absent", "cannot open: "),
    ],
)
def test_what_cannot_be_opened_says_why(
    url: str, reason: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with Watched(url) as watched:
        watched.wait_for("connecting", reason=reason)
    told = caplog.text + str(watched.statuses) + "".join(capfd.readouterr())
    assert "hunter2" not in told


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder over HTTP; gives its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Relay:
    """Passes datagrams on, and loses some."""

    def __init__(self) -> None:
        self.lose_every = 0
        self.over = threading.Event()
        self.inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inlet.bind(("127.0.0.1", 0))
        self.inlet.settimeout(0.1)
        self.port = free_port()

    def run(self) -> None:
        with self.inlet, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
            for number in itertools.count(1):
                if self.over.is_set():
                    return
                with suppress(TimeoutError):
                    datagram = self.inlet.recv(65536)
                    if not self.lose_every or number % self.lose_every:
                        outlet.sendto(datagram, ("127.0.0.1", self.port))


@contextmanager
def relayed(clip: Path) -> Iterator[Relay]:
    """Sends a clip again and again through a relay."""
    relay = Relay()
    threads = [
        threading.Thread(target=relay.run),
        threading.Thread(target=send_for_ever, args=(clip, relay.inlet.getsockname()[1], relay.over)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield relay
    finally:
        relay.over.set()
        for thread in threads:
            thread.join()


def send_for_ever(clip: Path, port: int, over: threading.Event) -> None:
    """Sends a clip again and again at its pace, until told otherwise."""
    offset = 0
    with av.open(f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts") as target:
        stream = None
        while not over.is_set():
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None or over.wait(0.01):
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    target.mux(packet)
                offset += video.duration or 0
