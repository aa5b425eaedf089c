"""RTP packets of one video track to compressed pictures, in order and with every loss told.

Takes the place of aiortc's own jitter buffer. That one waits for 512 packets where one is missing, seconds of a slow
stream, hands on pictures with holes, and holds each whole picture back until the next begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from monitor.clock import Clock
from monitor.ingest.tally import Tally

Codec = Literal["vp8", "h264"]
"""FFmpeg's names of what we take."""

_SEQUENCE = 1 << 16
_FAR_BACK = 3000
"""A packet that old is none that was sent again: the sender has begun anew."""
_MOST_WAITING = 1024
"""Packets held while one is missing."""
_WAIT_S = 0.3
"""For a packet that is missing: it has been asked for again, and a round trip takes no longer."""
_ASK_AGAIN_S = 0.5
"""Between two requests for a keyframe that does not come."""
_LARGEST_BYTES = 4_000_000
"""Of a compressed picture; a keyframe of 4K has less."""


class Packet(Protocol):
    """What is used of aiortc's `RtpPacket`, after it has taken the payload out of its wrapping."""

    marker: int
    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    _data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One compressed picture, whole."""

    codec: Codec
    data: bytes
    ticks: int
    """Presentation time in units of 1/90,000 s; does not wrap around."""
    key: bool
    lost_before: bool
    """Whether something that it may refer to has been lost since the last one."""


class Assembler:
    """Puts the pictures of one track together. Used by one thread, except for `want_key`.

    Args:
        codecs: what each RTP payload type carries.
        clock: tells how long a packet has been missing.
        tally: packets that came and that never did are counted here.
        on_picture: takes every whole picture.
        key_every_s: asks for a keyframe so often, as clips begin at one; None: only after losses.
    """

    def __init__(
        self,
        codecs: dict[int, Codec],
        clock: Clock,
        tally: Tally,
        on_picture: Callable[[Encoded], None],
        key_every_s: float | None = None,
    ) -> None:
        self._codecs = codecs
        self._clock = clock
        self._tally = tally
        self._on_picture = on_picture
        self._key_every_s = key_every_s
        self._ssrc: int | None = None
        self._expected = 0
        self._waiting: dict[int, Packet] = {}
        self._gap_since_s = 0.0
        # The picture that is being put together.
        self._parts: list[bytes] = []
        self._codec: Codec | None = None
        self._timestamp: int | None = None
        self._size = 0
        self._broken = False
        # What is known of those before it.
        self._last_ticks: int | None = None
        self._lost_before = True
        self._needs_key = True
        self._asked_s = clock.now_s()
        self._key_s = clock.now_s()

    def want_key(self) -> None:
        """Has a keyframe asked for with the next packet: a picture could not be decoded. Any thread may call."""
        self._needs_key = True
        self._asked_s = -_ASK_AGAIN_S

    def add(self, packet: Packet) -> tuple[bool, None]:
        """Takes a packet, as aiortc's jitter buffer does: tells whether a keyframe is to be asked for, now.

        Never returns a picture, so that aiortc decodes none.
        """
        self._tally.bytes += len(packet.payload)
        if packet.ssrc != self._ssrc:
            self._begin(packet)
        ahead = (packet.sequence_number - self._expected) % _SEQUENCE
        if ahead >= _SEQUENCE // 2:
            if _SEQUENCE - ahead < _FAR_BACK:
                return self._ask(), None  # late, or twice
            self._begin(packet)
            ahead = 0
        if ahead:
            if not self._waiting:
                self._gap_since_s = self._clock.now_s()
            self._waiting[packet.sequence_number] = packet
        else:
            self._take(packet)
        self._take_waiting()
        while self._waiting and self._overdue():
            self._skip()
        return self._ask(), None

    def _begin(self, packet: Packet) -> None:
        """Starts with a sender, or with one that counts anew."""
        self._ssrc = packet.ssrc
        self._expected = packet.sequence_number
        self._waiting.clear()
        self._drop_picture()
        self._last_ticks = None
        self._lost_before = self._needs_key = True

    def _overdue(self) -> bool:
        return len(self._waiting) > _MOST_WAITING or self._clock.now_s() - self._gap_since_s > _WAIT_S

    def _skip(self) -> None:
        """Gives up what is missing."""
        following = min(self._waiting, key=lambda number: (number - self._expected) % _SEQUENCE)
        self._tally.packets_corrupt += (following - self._expected) % _SEQUENCE
        self._expected = following
        self._lost_before = self._needs_key = True
        self._drop_picture()
        # Where it cannot be seen that the next packet begins a picture, its picture has a hole.
        self._broken = not _begins(self._waiting[following], self._codecs)
        self._gap_since_s = self._clock.now_s()
        self._take_waiting()

    def _take_waiting(self) -> None:
        while (packet := self._waiting.pop(self._expected, None)) is not None:
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        """Takes the packet that is next in the sequence."""
        self._expected = (packet.sequence_number + 1) % _SEQUENCE
        if not packet.payload:
            return  # fills the line while nothing is sent
        if self._timestamp is not None and packet.timestamp != self._timestamp:
            self._finish()  # a sender that marks no last packet
        if self._timestamp is None:
            self._timestamp = packet.timestamp
            self._codec = self._codecs.get(packet.payload_type)
        self._size += len(packet._data)  # noqa: SLF001 - where aiortc puts what it has unwrapped
        if self._size > _LARGEST_BYTES:
            self._broken = True
            self._parts.clear()
        else:
            self._parts.append(packet._data)  # noqa: SLF001
        if packet.marker:
            self._finish()

    def _finish(self) -> None:
        """The picture is complete, if no part of it was lost."""
        assert self._timestamp is not None
        data, codec, broken = b"".join(self._parts), self._codec, self._broken
        ticks = self._unwrapped(self._timestamp)
        self._drop_picture()
        if broken or codec is None or not data:
            self._lost_before = self._lost_before or broken
            return
        key = is_key(codec, data)
        picture = Encoded(codec, data, ticks, key, self._lost_before)
        self._lost_before = False
        if key:
            self._needs_key = False
            self._key_s = self._clock.now_s()
        self._on_picture(picture)

    def _drop_picture(self) -> None:
        self._parts = []
        self._codec = None
        self._timestamp = None
        self._size = 0
        self._broken = False

    def _unwrapped(self, timestamp: int) -> int:
        if self._last_ticks is None:
            self._last_ticks = timestamp
        else:
            step = (timestamp - self._last_ticks) % (1 << 32)
            self._last_ticks += step if step < 1 << 31 else step - (1 << 32)
        return self._last_ticks

    def _ask(self) -> bool:
        now_s = self._clock.now_s()
        due = self._key_every_s is not None and now_s - self._key_s > self._key_every_s
        if not (self._needs_key or due) or now_s - self._asked_s < _ASK_AGAIN_S:
            return False
        self._asked_s = now_s
        return True


class Ignored:
    """Takes the place of a jitter buffer where nothing is wanted of the track: sound, and further videos."""

    def add(self, packet: Packet) -> tuple[bool, None]:  # noqa: ARG002 - as aiortc calls it
        """Forgets the packet."""
        return False, None


def is_key(codec: Codec, data: bytes) -> bool:
    """Whether a compressed picture can be decoded without others.

    Args:
        codec: how it is compressed.
        data: the picture; of H.264 in Annex B.
    """
    if codec == "vp8":
        return not data[0] & 1
    at = data.find(b"\0\0\1")
    while at >= 0 and at + 3 < len(data):
        if data[at + 3] & 0x1F == _IDR:
            return True
        at = data.find(b"\0\0\1", at + 3)
    return False


_IDR, _SPS = 5, 7


def _begins(packet: Packet, codecs: dict[int, Codec]) -> bool:
    """Whether a packet is for certain the first of its picture."""
    if not packet.payload:
        return False
    if codecs.get(packet.payload_type) == "vp8":
        return packet.payload[0] & 0x17 == 0x10  # start of partition 0
    data = packet._data  # noqa: SLF001
    return data[:4] == b"\0\0\0\1" and len(data) > 4 and data[4] & 0x1F == _SPS
