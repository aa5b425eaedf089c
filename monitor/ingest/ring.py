"""The compressed packets of a stream's last seconds, kept in memory for the clip of an alert.

Only where evidence is configured. Pictures alone: sound is never kept. What is kept begins at a keyframe, and is
bounded in seconds and in bytes whatever the stream sends.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from monitor.clock import Clock
from monitor.errors import SourceError

_LONGEST = 2.0
"""Times the seconds asked for that are held at the most: a group of pictures goes as a whole."""
_LEAP_S = 10.0
"""A stream whose time leaps farther, or goes back, has begun anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One packet, apart from FFmpeg's own buffers. `pts`, `dts` and `duration` are in units of the time base."""

    payload: bytes
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Packets that can be played: the first is a keyframe."""

    packets: tuple[Kept, ...]
    template: VideoStream
    """Tells how they are to be decoded; belongs to no input, so that it outlives the connection."""
    codec: str
    time_base: Fraction


class PacketRing:
    """Holds the packets of one stream's last seconds. The thread that reads adds, any other may cut.

    Args:
        seconds: what a cut should hold at least, where the stream has sent so much. Up to twice as much is held,
            because a cut begins at a keyframe.
        most_bytes: bytes held at the most.
        clock: tells when packets arrive.
    """

    def __init__(self, seconds: float, most_bytes: int, clock: Clock) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._recording: Recording | None = None
        self._packets: deque[Kept] = deque()
        self._bytes = 0
        self._absence = "no connection has been made yet"

    def begin(self, stream: VideoStream) -> Recording:
        """Forgets what came on a former connection, and returns what takes the packets of this one."""
        template, failure = _detached(stream)
        recording = Recording(self, template, stream.codec_context.name)
        with self._lock:
            self._recording = recording
            self._forget(failure or "no keyframe has come since the connection was made")
        return recording

    def cut(self) -> Cut:
        """The last seconds, from the keyframe that begins them.

        Raises:
            SourceError: nothing is there to be played; why.
        """
        with self._lock:
            recording = self._recording
            if recording is None or recording.template is None or not self._packets:
                raise SourceError(self._absence)
            packets = tuple(self._packets)
        from_s = self._clock.now_s() - self._seconds
        keys = [index for index, packet in enumerate(packets) if packet.key and packet.at_s <= from_s]
        return Cut(packets[keys[-1] if keys else 0 :], recording.template, recording.codec, recording.time_base)

    @property
    def seconds(self) -> float:
        """What a cut should hold at least."""
        return self._seconds

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        with self._lock:
            return self._bytes

    def add(self, packet: av.Packet[VideoStream], recording: Recording) -> None:
        """Takes a packet; without effect where another connection has been made since."""
        if not packet.size or recording.template is None:
            return
        now_s = self._clock.now_s()
        kept = Kept(bytes(packet), packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe, now_s)
        with self._lock:
            if recording is not self._recording:
                return
            if self._packets and _leaps(self._packets[-1], kept, recording.time_base):
                self._forget("no keyframe has come since the stream's time has leapt")
            if not self._packets and not kept.key:
                return
            self._packets.append(kept)
            self._bytes += len(kept.payload)
            self._trim(now_s)

    def _trim(self, now_s: float) -> None:
        """Drops groups of pictures that are not needed any more, and those for which there is no room."""
        while (second := self._second_key()) is not None and (
            self._packets[second].at_s <= now_s - self._seconds or self._too_much(now_s)
        ):
            for _ in range(second):
                self._bytes -= len(self._packets.popleft().payload)
        if self._too_much(now_s):
            self._forget(
                f"the stream sends keyframes too rarely: none in the last {_LONGEST * self._seconds:g} s or "
                f"{self._most_bytes / 1e6:g} MB"
            )

    def _too_much(self, now_s: float) -> bool:
        return self._bytes > self._most_bytes or self._packets[0].at_s < now_s - _LONGEST * self._seconds

    def _second_key(self) -> int | None:
        """Where the second group of pictures begins."""
        return next((index for index, packet in enumerate(self._packets) if index and packet.key), None)

    def _forget(self, absence: str) -> None:
        self._packets.clear()
        self._bytes = 0
        self._absence = absence


class Recording:
    """What takes the packets of one connection."""

    def __init__(self, ring: PacketRing, template: VideoStream | None, codec: str) -> None:
        self.template = template
        self.codec = codec
        self.time_base = (template and template.time_base) or Fraction(1, 90_000)
        self._ring = ring

    def add(self, packet: av.Packet[VideoStream]) -> None:
        """Keeps a packet, before it is decoded."""
        self._ring.add(packet, self)


def _leaps(last: Kept, new: Kept, time_base: Fraction) -> bool:
    if last.dts is None or new.dts is None:
        return False
    return not 0 <= (new.dts - last.dts) * time_base <= _LEAP_S


def _detached(stream: VideoStream) -> tuple[VideoStream | None, str | None]:
    """The stream's parameters in a stream of its own, or why they cannot be kept; ours do not outlive the input."""
    holder: Any = av.open(io.BytesIO(), "w", format="matroska")
    try:
        return holder.add_stream_from_template(stream, opaque=True), None
    except (ValueError, FFmpegError):
        return None, f"{stream.codec_context.name} cannot be kept in a file without encoding it anew"
