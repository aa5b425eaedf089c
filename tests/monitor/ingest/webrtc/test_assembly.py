"""RTP packets to pictures: losses, disorder and counters that wrap around, with aiortc's own packets."""

from __future__ import annotations

from typing import Any, cast

from aiortc.codecs.vpx import vp8_depayload
from aiortc.rtp import RtpPacket

from monitor.ingest.tally import Tally
from monitor.ingest.webrtc.assembly import Assembler, Encoded, Packet, is_key

KEY, DELTA = b"\x10\x02\x00\x9d\x01\x2a", b"\x11\x02\x00"


class _Clock:
    def __init__(self) -> None:
        self.at_s = 100.0

    def now_s(self) -> float:
        return self.at_s

    def wall(self, at_s: float) -> Any:
        raise NotImplementedError


class _Track:
    """A sender of VP8, and what is made of its packets."""

    def __init__(self, first: int = 0, key_every_s: float | None = None) -> None:
        self.clock = _Clock()
        self.tally = Tally()
        self.pictures: list[Encoded] = []
        self.asked = 0
        self.assembler = Assembler({97: "vp8"}, self.clock, self.tally, self.pictures.append, key_every_s)
        self._first = first

    def send(self, *numbers: int, parts: int = 1, key: bool = False, ssrc: int = 1) -> None:
        """Sends the packets of those numbers; a picture has `parts` of them."""
        for number in numbers:
            start, last = number % parts == 0, number % parts == parts - 1
            payload = (b"\x10" if start else b"\x00") + ((KEY if key else DELTA) if start else b"rest")
            packet = RtpPacket(
                payload_type=97,
                sequence_number=(self._first + number) % 65536,
                timestamp=((number // parts) * 3000 + 2**32 - 6000) % 2**32,
                ssrc=ssrc,
                payload=payload,
                marker=int(last),
            )
            cast("Any", packet)._data = vp8_depayload(payload)
            asked, nothing = self.assembler.add(cast("Packet", packet))
            assert nothing is None  # or aiortc would decode it
            self.asked += asked

    @property
    def losses(self) -> list[bool]:
        return [picture.lost_before for picture in self.pictures]


def test_pictures_are_whole_at_their_last_packet_and_in_order_whatever_the_order_of_packets() -> None:
    track = _Track(first=65533)  # both counters wrap around on the way
    track.send(0, 1, key=True, parts=2)
    assert len(track.pictures) == 1  # without waiting for the next one
    track.send(4, 3, 2, 5, 5, 3, parts=2)
    assert [picture.data for picture in track.pictures] == [KEY + b"rest", DELTA + b"rest", DELTA + b"rest"]
    ticks = [picture.ticks for picture in track.pictures]
    assert [later - ticks[0] for later in ticks] == [0, 3000, 6000]
    assert track.losses == [True, False, False]  # nothing is known of what was before the first
    assert [picture.key for picture in track.pictures] == [True, False, False]
    assert track.tally.packets_corrupt == 0


def test_a_packet_that_comes_again_in_time_is_no_loss() -> None:
    track = _Track()
    track.send(0, key=True)
    track.send(2, 3)
    assert len(track.pictures) == 1
    track.send(1)
    assert track.losses == [True, False, False, False]


def test_a_picture_with_a_hole_is_left_out_and_the_next_says_so() -> None:
    track = _Track()
    track.send(0, 1, 2, key=True, parts=3)
    track.send(3, 5, 6, 7, 8, parts=3)  # 4 is lost
    assert len(track.pictures) == 1
    track.clock.at_s += 1
    track.send(9, 10, 11, parts=3)
    assert [picture.data for picture in track.pictures[1:]] == [DELTA + b"restrest"] * 2
    assert track.losses == [True, True, False]
    assert track.tally.packets_corrupt == 1
    assert track.asked == 1  # a keyframe, once
    track.clock.at_s += 1
    track.send(12, 13, 14, parts=3)
    assert track.asked == 2  # again, as none came
    track.clock.at_s += 1
    track.send(15, 16, 17, parts=3, key=True)
    track.clock.at_s += 1
    track.send(18, 19, 20, parts=3)
    assert track.asked == 3


def test_what_is_missing_is_not_waited_for_without_bound() -> None:
    track = _Track()
    track.send(0, key=True)
    track.send(*range(2, 1100))  # in no time at all
    assert len(track.pictures) > 1000
    assert track.losses[:3] == [True, True, False]


def test_a_sender_that_begins_anew_is_taken_from_there() -> None:
    track = _Track()
    track.send(0, 1, key=True)
    track.send(0, key=True, ssrc=2)
    track.send(1, ssrc=2)
    assert track.losses == [True, False, True, False]
    track.send(60_000, 60_001, ssrc=2)  # and where it counts anew without saying so
    assert track.losses[4:] == [True, False]


def test_keyframes_are_asked_for_where_clips_are_kept() -> None:
    track = _Track(key_every_s=2)
    track.send(0, key=True)
    track.clock.at_s += 1.9
    track.send(1)
    assert track.asked == 0
    track.clock.at_s += 0.2
    track.send(2)
    assert track.asked == 1


def test_a_picture_that_cannot_be_decoded_asks_for_a_keyframe_with_the_next_packet() -> None:
    track = _Track()
    track.send(0, key=True)
    track.assembler.want_key()
    track.send(1)
    assert track.asked == 1


def test_is_key_finds_idr_slices_among_other_nal_units() -> None:
    assert is_key("h264", b"\0\0\0\1\x67abc\0\0\0\1\x68a\0\0\1\x65data")
    assert not is_key("h264", b"\0\0\0\1\x67abc\0\0\0\1\x68a\0\0\1\x41data")
    assert not is_key("h264", b"\0\0\0\1")
