"""Cameras that are killed, frozen, slow, mute, damaged, restless: the stream recovers or says why.

GStreamer's server where a real one can be made to do it, our own where no well-behaved server would.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from numpy.typing import NDArray

from monitor.messages import Frame
from tests.faults.analysed import Analysed
from tests.faults.camera import Camera, Film, HangUp, Pause, Raw, Step, interleaved
from tests.faults.hostile.nal import Codec
from tests.faults.table import FaultTable
from tests.monitor.ingest.clips import make_clip
from tests.monitor.ingest.watching import BRISK, Watched
from tests.rtsp_server import RtspServer

_AWAY_S = 4.0
"""Long enough for tries to have become rare, were nobody to watch for the camera's return."""
_WARM_UP = 4
_LEAK_BYTES = 5_000_000
"""The allocator's arenas come and go by this much; a leak of one decoder (2 MB at 160x120) each time is far above."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """A second, a keyframe every 0.2 s."""
    return Film.draw(tmp_path_factory.mktemp("films") / "small.h264", frame_s=0.02)


@pytest.fixture(scope="module")
def large_film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film.draw(tmp_path_factory.mktemp("films") / "large.h264", size=(320, 240), frame_s=0.02)


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "minute.mp4", frames=1500, size=(160, 120), gop=25)


@pytest.fixture
def server(minute: Path) -> Iterator[RtspServer]:
    with RtspServer({"main": minute}) as running:
        yield running


def test_a_server_that_was_away_is_analysed_again_as_soon_as_it_is_back(server: RtspServer, faults: FaultTable) -> None:
    with Analysed(server.url("main")) as stream:
        stream.wait_for_pictures()
        server.kill()
        stream.wait_for("connecting", "Connection refused")
        time.sleep(_AWAY_S)
        reconnects = stream.figures.reconnects
        server.start()
        with faults.recovery("RTSP server killed, away for 4 s", "connecting: Connection refused"):
            stream.wait_for_pictures()
        assert stream.states == ["connecting", "live", "connecting", "live"]
        assert stream.figures.reconnects <= reconnects + 2
    assert server.wait_for("teardown")


def test_a_frozen_server_is_analysed_again_as_soon_as_it_thaws(server: RtspServer, faults: FaultTable) -> None:
    with Analysed(server.url("main")) as stream:
        stream.wait_for_pictures()
        server.freeze()
        stream.wait_for("stalled", "no frame for 1 s")
        server.thaw()
        with faults.recovery("RTSP server stopped (SIGSTOP) for 1 s", "stalled: no frame for 1 s"):
            stream.wait_for_pictures()
        server.freeze()
        stream.wait_for("connecting", "nothing arrived")
        time.sleep(3)
        server.thaw()
        with faults.recovery("RTSP server stopped for 5 s", "connecting: nothing arrived"):
            stream.wait_for_pictures()
        assert stream.figures.stalls >= 2  # more, where the machine stands still as well


def test_after_twenty_reconnects_nothing_is_left_behind(server: RtspServer, faults: FaultTable) -> None:
    process = psutil.Process()
    figures = []
    with Analysed(server.url("main")) as stream:
        for _ in range(_WARM_UP + 20):
            stream.wait_for_pictures()
            server.kill()
            stream.wait_for("connecting")
            server.start()
            stream.wait_for_pictures()
            gc.collect()
            figures.append((process.num_threads(), process.num_fds(), process.memory_info().rss))
        assert stream.figures.reconnects >= _WARM_UP + 20
        assert (stream.figures.abandoned, stream.figures.crashed) == (0, 0)
    warm, last = figures[_WARM_UP - 1], figures[-1]
    assert last[:2] == warm[:2]
    assert last[2] - warm[2] < _LEAK_BYTES
    grown = (last[2] - warm[2]) / 1e6
    faults.add("20 reconnects", f"threads {last[0]} (+0), file handles {last[1]} (+0), memory {grown:+.1f} MB")


@pytest.mark.parametrize("status", ["404 Not Found", "503 Service Unavailable", "401 Unauthorized"])
def test_a_server_that_refuses_is_quoted_and_asked_again(film: Film, faults: FaultTable, status: str) -> None:
    with Camera(film, status=status) as camera, Analysed(camera.url) as stream:
        stream.wait_for("connecting", reason="40" if "40" in status else "5XX")
        time.sleep(2)
        camera.status = None
        with faults.recovery(f"RTSP server answers {status}", f"connecting: {stream.statuses[-1].reason}"):
            stream.wait_for_pictures()
        assert camera.requests.count("DESCRIBE") <= 6


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_server_that_falls_silent_while_asked_is_given_up(film: Film, faults: FaultTable, method: str) -> None:
    patience = replace(BRISK, open_s=1)
    with Camera(film, mute_from=method) as camera, Watched(camera.url, patience=patience) as stream:
        stream.wait_for("connecting", reason="no answer within 1 s")
        camera.mute_from = None
        with faults.recovery(f"no answer to {method}", "connecting: no answer within 1 s (10 s by default)"):
            stream.wait_for_frames(1)


@pytest.mark.parametrize("after", [0, 30])
def test_a_camera_that_sends_nothing_more_is_given_up(film: Film, faults: FaultTable, after: int) -> None:
    def fall_silent() -> Iterator[Step]:
        yield from itertools.islice(film.shots(), after)
        yield Pause(3600)

    patience = replace(BRISK, open_s=1)
    with Camera(film, fall_silent) as camera, Watched(camera.url, stall_s=1, patience=patience) as stream:
        stream.wait_for("connecting", reason="no" if after == 0 else "nothing arrived")
        reason = stream.statuses[-1].reason
        camera.script = None
        with faults.recovery(f"silence after {after} pictures", f"connecting: {reason}"):
            stream.wait_for_frames(after + 1)


def test_a_slow_server_is_waited_for(film: Film, faults: FaultTable) -> None:
    slow = replace(film, frame_s=0.6)
    with Camera(slow, answer_s=0.6) as camera, Analysed(camera.url, stall_s=10) as stream:
        stream.wait_for_pictures(4)
        assert stream.states == ["connecting", "live"]
    faults.add("every answer and every picture takes 0.6 s", "live")


def test_a_camera_that_dribbles_is_given_up(film: Film, faults: FaultTable) -> None:
    def dribble() -> Iterator[Step]:
        yield from film.shots()
        yield Raw(b"$\x00\x10\x00")
        for _ in itertools.count():
            yield from (Raw(b"\x00"), Pause(0.2))

    with Camera(film, dribble) as camera, Analysed(camera.url) as stream:
        stream.wait_for("stalled")
        camera.script = None
        with faults.recovery("a packet that dribbles in byte by byte", "stalled, then connecting: nothing arrived"):
            stream.wait_for_pictures()
        assert any("nothing arrived" in reason for reason in stream.reasons)


def test_a_connection_cut_in_the_middle_of_a_packet_is_made_again(film: Film, faults: FaultTable) -> None:
    def cut() -> Iterator[Step]:
        yield from film.shots()
        yield from (Raw(b"$\x00\x10\x00half"), HangUp())

    with Camera(film, cut) as camera, Analysed(camera.url) as stream:
        stream.wait_for("live")
        stream.wait_for("connecting")
        with faults.recovery("connection cut in the middle of a packet", f"connecting: {stream.statuses[-1].reason}"):
            stream.wait_for("live")
            stream.wait_for_pictures()
        assert camera.requests.count("PLAY") >= 2


def test_garbage_between_pictures_is_survived(film: Film, faults: FaultTable) -> None:
    noise = random.Random(3)

    def litter() -> Iterator[Step]:
        yield from film.shots()
        for _ in range(50):
            yield from (Raw(interleaved(noise.randbytes(700))), Pause(0.01))
        yield Raw(noise.randbytes(20_000))
        yield from film.endless()

    with Camera(film, litter) as camera, Watched(camera.url, stall_s=1) as stream:
        stream.wait_for_frames(60)
        stream.wait_for_frames(30)
    assert not undue_trust(stream.frames, film)
    faults.add("packets of noise, then noise between packets", f"{' → '.join(stream.states)}")


def test_a_change_of_size_shows_in_the_next_picture(film: Film, large_film: Film, faults: FaultTable) -> None:
    def alternate() -> Iterator[Step]:
        for turn in itertools.count():
            yield from (film if turn % 2 == 0 else large_film).shots(1.0 * turn)

    with Camera(film, alternate) as camera, Watched(camera.url) as stream:
        frames = stream.wait_for_frames(105)[:105]
    assert stream.states == ["connecting", "live", "stopped"]
    assert all(frame.trusted for frame in frames)
    sizes = [(frame.width, frame.height) for frame in frames]
    assert [size for size, _ in itertools.groupby(sizes)] == [(160, 120), (320, 240), (160, 120)]
    assert not undue_trust(frames, film, large_film)
    for frame in frames:
        assert frame.small(80).shape == (60, 80, 3)
        assert frame.region((0, 0, 40, 30))[0].shape == (30, 40, 3)
    faults.add("resolution changes mid-stream", "live; every picture trusted, small and region in the new size", 0.0)


def test_new_codec_parameters_that_only_a_new_session_tells_are_asked_for(
    film: Film, large_film: Film, faults: FaultTable
) -> None:
    """Pictures go on coming, each of them damaged: without a new session for ever."""

    def change() -> Iterator[Step]:
        yield from film.shots()
        for shot in large_film.endless():
            yield replace(shot, nals=tuple(nal for nal in shot.nals if nal not in large_film.parameter_sets))

    patience = replace(BRISK, untrusted_s=1)
    with Camera(film, change) as camera, Watched(camera.url, patience=patience) as stream:
        stream.wait_for("live")
        camera.film, camera.script = large_film, None
        with faults.recovery(
            "codec parameters change unannounced", "connecting: damaged pictures only for 1 s (20 s by default)"
        ):
            stream.wait_for("connecting", reason="connection given up: damaged pictures only for 1 s")
            stream.wait_for_frames(1)
    assert not undue_trust(stream.frames, film, large_film)
    assert stream.frames[-1].trusted
    assert stream.frames[-1].width == 320


def test_timestamps_that_jump_neither_stall_nor_distrust_for_long(film: Film, faults: FaultTable) -> None:
    """In the middle of a group of pictures, back and forth by seconds and by hours."""
    jumps_s = (0, 1.2, 5, 3600, 40_000, 20_000, 0.3, 47_000, 1)

    def jump() -> Iterator[Step]:
        shown = zip(film.endless(), itertools.count())
        for shot, number in shown:
            yield replace(shot, at_s=shot.at_s + jumps_s[number // 27 % len(jumps_s)])

    with Camera(film, jump) as camera, Analysed(camera.url, stall_s=10) as stream, Watched(camera.url) as watched:
        frames = watched.wait_for_frames(200)
        assert stream.states == ["connecting", "live"]
        assert stream.pictures > 10
    assert watched.states == ["connecting", "live", "stopped"]
    longest = max(
        (len(list(run)) for trusted, run in itertools.groupby(f.trusted for f in frames) if not trusted), default=0
    )
    assert 0 < longest <= 10  # where pictures might be missing, to the next keyframe
    faults.add("timestamps jump by seconds and hours", f"live; at most {longest} pictures distrusted in a row", 0.0)


@pytest.mark.parametrize(
    ("codec", "transport", "every"),
    [("h264", "udp", 7), ("h264", "udp", 40), ("hevc", "udp", 7), ("hevc", "udp", 40), ("hevc", "tcp", 40)],
)
def test_pictures_damaged_by_lost_packets_are_distrusted_and_a_neighbours_are_not(
    tmp_path: Path, faults: FaultTable, codec: Codec, transport: str, every: int
) -> None:
    """Several packets a picture: what is left of one is decoded, of H.265 without a word of complaint."""
    film = Film.draw(tmp_path / f"film.{codec}", size=(640, 360), frame_s=0.02, codec=codec)
    chance = random.Random(every)
    with (
        Camera(film, lose=lambda number: number > 50 and chance.random() < 1 / every) as camera,
        Camera(replace(film, frame_s=0.04)) as sound,
        Watched(camera.url, transport=transport) as stream,
        Watched(sound.url, transport=transport) as neighbour,
    ):
        stream.wait_for_frames(100)
        camera.lose = lambda _: False
        with faults.recovery(f"every {every}th packet lost ({codec}, {transport.upper()})", "frames distrusted"):
            stream.wait_for_frames(30)
    assert stream.states == ["connecting", "live", "stopped"]
    assert stream.frames[-1].trusted
    assert stream.reader.statistics().distrusted > 0
    assert not undue_trust(stream.frames, film)
    assert neighbour.reader.statistics().distrusted == 0


def test_a_camera_over_udp_that_was_away_comes_back(film: Film, faults: FaultTable) -> None:
    with Camera(film) as camera, Analysed(camera.url, transport="udp") as stream:
        stream.wait_for_pictures()
        camera.switch_off()
        stream.wait_for("connecting", "Connection refused")
        camera.switch_on()
        with faults.recovery("RTSP server killed (UDP)", "connecting: Connection refused"):
            stream.wait_for_pictures()


def undue_trust(frames: list[Frame], *films: Film) -> list[int]:
    """Which frames are trusted, and yet are no pictures of these films as they decode undamaged."""
    undamaged = {picture for film in films for picture in _decoded(film)}
    return [
        frame.index
        for frame in frames
        if frame.trusted and _digest(frame.region((0, 0, frame.width, frame.height))[0]) not in undamaged
    ]


def _decoded(film: Film) -> Iterator[bytes]:
    decoder = av.CodecContext.create(film.codec, "r")
    stream = b"".join(b"\x00\x00\x01" + nal for nals in film.pictures for nal in nals)
    for packet in [*decoder.parse(stream), *decoder.parse(b"")]:
        for picture in decoder.decode(packet):
            yield _digest(picture.to_ndarray(format="rgb24", threads=1))
    for picture in decoder.decode(None):
        yield _digest(picture.to_ndarray(format="rgb24", threads=1))


def _digest(pixels: NDArray[Any]) -> bytes:
    return hashlib.sha256(pixels.tobytes()).digest()
