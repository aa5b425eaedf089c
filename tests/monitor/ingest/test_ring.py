"""The ring of packets, filled from real files, and what comes out of it as a clip."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest import PacketRing, write_clip
from tests.monitor.ingest.clips import make_clip
from tests.monitor.ingest.watching import Watched

FRAME_S = 0.04


class _Clock:
    """Stands until it is moved."""

    now = 1000.0

    def now_s(self) -> float:
        return self.now

    def wall(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, tz=UTC)


def fill(ring: PacketRing, clock: _Clock, clip: Path, frames: int | None = None) -> None:
    """Plays a clip into the ring: a packet each 40 ms of its clock."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        recording = ring.begin(stream)
        for number, packet in enumerate(container.demux(stream)):
            if number == frames:
                return
            if packet.size:
                clock.now += FRAME_S
            recording.add(packet)


def decoded(path: Path) -> int:
    with av.open(str(path)) as clip:
        times = [frame.pts for frame in clip.decode(video=0)]
    assert times == sorted({time for time in times if time is not None})
    return len(times)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b-frames.mp4", {"b_frames": 2}),
        ("transport.ts", {}),
        ("matroska.mkv", {}),
        ("h265.mp4", {"codec": "hevc"}),
        ("h265.ts", {"codec": "hevc"}),
    ],
)
def test_clip_has_every_picture_though_its_input_is_closed(name: str, options: dict[str, str], tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(60, 10**7, clock)
    fill(ring, clock, make_clip(tmp_path / name, frames=50, **options))  # type: ignore[arg-type]
    clip = write_clip(ring.cut(), tmp_path / "clip")
    assert clip == tmp_path / "clip.mp4"
    assert decoded(clip) == 50


def test_clip_of_another_codec_is_matroska(tmp_path: Path) -> None:
    source = tmp_path / "pictures.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(stream.encode(None))
    clock = _Clock()
    ring = PacketRing(60, 10**7, clock)
    fill(ring, clock, source)
    clip = write_clip(ring.cut(), tmp_path / "clip")
    assert (clip.suffix, decoded(clip)) == (".mkv", 10)


def test_cut_begins_at_the_keyframe_before_the_seconds_asked_for(tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(1.0, 10**7, clock)  # 25 frames
    fill(ring, clock, make_clip(tmp_path / "long.mp4", frames=100, gop=10))
    assert 25 <= decoded(write_clip(ring.cut(), tmp_path / "clip")) <= 35


def test_ring_holds_twice_the_seconds_at_the_most_whatever_the_stream_sends(tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(1.0, 10**7, clock)
    clip = make_clip(tmp_path / "one-keyframe.mp4", frames=100, gop=1000)
    fill(ring, clock, clip, frames=45)
    assert len(ring.cut().packets) == 45
    fill(ring, clock, clip)
    assert ring.bytes == 0
    with pytest.raises(SourceError, match="keyframes too rarely: none in the last 2 s or 10 MB"):
        ring.cut()


def test_ring_holds_no_more_bytes_than_it_may(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=60, gop=10)
    most = clip.stat().st_size // 3
    clock = _Clock()
    ring = PacketRing(60, most, clock)
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        recording = ring.begin(stream)
        held = []
        for packet in container.demux(stream):
            recording.add(packet)
            held.append(ring.bytes)
    assert most / 3 < max(held) <= most
    assert 0 < decoded(write_clip(ring.cut(), tmp_path / "last")) < 60


def test_ring_takes_nothing_before_a_keyframe_and_nothing_of_a_former_connection(tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(60, 10**7, clock)
    with pytest.raises(SourceError, match="no connection has been made yet"):
        ring.cut()
    path = make_clip(tmp_path / "clip.mp4", frames=20, gop=10)
    with av.open(str(path)) as first, av.open(str(path)) as second:
        packets = list(first.demux(first.streams.video[0]))
        former = ring.begin(first.streams.video[0])
        former.add(packets[3])
        with pytest.raises(SourceError, match="no keyframe has come"):
            ring.cut()
        former.add(packets[0])
        assert len(ring.cut().packets) == 1
        ring.begin(second.streams.video[0])
        former.add(packets[10])
        assert ring.bytes == 0


def test_ring_begins_anew_where_the_streams_time_goes_back(tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(60, 10**7, clock)
    with av.open(str(make_clip(tmp_path / "clip.mp4", frames=30, gop=10))) as container:
        packets = list(container.demux(container.streams.video[0]))
        recording = ring.begin(container.streams.video[0])
        for packet in [*packets[:25], *packets[:7]]:
            recording.add(packet)
    assert len(ring.cut().packets) == 7


def test_clip_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    clock = _Clock()
    ring = PacketRing(60, 10**7, clock)
    fill(ring, clock, make_clip(tmp_path / "clip.mp4"))
    with pytest.raises(SourceError, match="the clip cannot be written: No such file or directory"):
        write_clip(ring.cut(), tmp_path / "nowhere" / "clip")
    assert os.listdir(tmp_path) == ["clip.mp4"]


def test_reader_fills_the_ring_while_it_reads(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50)
    ring = PacketRing(60, 10**7, LiveClock())
    with Watched(f"file:{clip}", ring=ring) as watched:
        watched.wait_for("stopped")
    assert decoded(write_clip(ring.cut(), tmp_path / "kept")) == 50
