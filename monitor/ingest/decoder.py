"""From the packets of one connection to its pictures, each with whether it may be believed."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from monitor.clock import Clock
from monitor.ingest.backlog import Backlog, Burst
from monitor.ingest.depth import Depths, Needs
from monitor.ingest.tally import Tally
from monitor.ingest.trust import Trust

LARGEST_PX = 8192 * 4352
"""Pixels of a picture at the most: 8K, and the panoramas of several lenses. A header of a few bytes may claim seven
times that, and a decoder keeps up to 17 pictures."""
DECODER_LIMITS = {"max_pixels": str(LARGEST_PX)}
"""Options of every decoder."""
_CODEC_OPTIONS = {"mjpeg": {"err_detect": "explode"}}
"""A damaged JPEG is else decoded as far as it goes, and passed on without a word."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, before it has a place on the pipeline's clock."""

    video: av.VideoFrame
    pts_s: float | None
    trusted: bool


class Decoder:
    """Decodes no more of a stream than is needed, and judges what comes.

    Args:
        stream: whose packets.
        clock: tells when they arrive.
        tally: what comes is counted here.
        lossy: whether packets may be missing without a word.
        needs: what is needed of the pictures; None: all of them.
        fps: that the stream declares, if it does.
    """

    def __init__(
        self, stream: VideoStream, *, clock: Clock, tally: Tally, lossy: bool, needs: Needs | None, fps: float | None
    ) -> None:
        # The decoder's own threads would add a frame of delay each and cost more CPU than they save wall time.
        stream.thread_type = "NONE"
        self._context = stream.codec_context
        # Of its pictures as well; as a fraction it would be worked out anew for each.
        self._tick_s = None if stream.time_base is None else float(stream.time_base)
        # Packets are numbered, and pictures carry their packet's number through the decoder's reordering.
        self._context.copy_opaque = True
        self._context.options = {**DECODER_LIMITS, **_CODEC_OPTIONS.get(self._context.name, {})}
        self._clock = clock
        self._tally = tally
        self._trust = Trust(lossy=lossy)
        self._depths = Depths(needs, fps)
        self._backlog = Backlog(self._depths, intra_only=self._context.codec.intra_only)
        self._complete = True
        """Whether every picture of the stream is presented."""
        self._packets = 0
        self._presented = 0
        """Number of the keyframe that was decoded alone last: awake again, it is decoded once more, for the others."""

    @property
    def asleep(self) -> bool:
        """Whether only keyframes are decoded now."""
        return self._backlog.asleep

    def lost(self) -> None:
        """Something is missing before the next packet."""
        # It may well concern a packet of pictures where one of sound came first.
        self._tally.packets_corrupt += 1
        self._trust.damaged(self._packets + 1)

    def decode(self, packet: av.Packet[VideoStream], *, due: bool) -> list[Picture]:
        """The pictures that a packet brings, and those that waited for it; none where it waits itself.

        Args:
            packet: the next one; one without data ends the stream.
            due: whether its picture is looked at; if not, it may wait.
        """
        at_s = self._clock.now_s()
        self._take_in(packet, at_s)
        burst = self._backlog.add(packet, at_s, due=due or not packet.size)
        self._tally.skipped += burst.skipped
        if not burst.packets:
            return []
        self._complete, alone = burst.depth == "all", burst.depth == "keyframes"
        with self._tally.decoding():
            frames = [frame for each in burst.packets for frame in self._decoded(each)]
            if alone:
                frames += self._drained()
        self._count(burst, len(frames))
        pictures = [self._judged(frame) for frame in frames if self._number(frame.opaque) > self._presented]
        if alone:
            self._presented = self._number(burst.packets[0].opaque)
        return pictures

    def _take_in(self, packet: av.Packet[VideoStream], at_s: float) -> None:
        self._packets += 1
        self._tally.bytes += packet.size
        if packet.size:
            self._tally.came(at_s)
        if packet.is_corrupt:
            self._tally.packets_corrupt += 1
            self._trust.damaged(self._packets)
            # Where FFmpeg splits a transport stream into pictures anew, the mark comes one picture early.
            self._trust.damaged(self._packets + 1)
        # PyAV tells objects apart by identity, and small numbers are one object.
        packet.opaque = (self._packets, at_s)

    def _decoded(self, packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
        self._context.skip_frame = "NONREF" if self._backlog.reference else "DEFAULT"
        try:
            return packet.decode()
        except FFmpegError:
            self._tally.decode_errors += 1
            self._trust.damaged(self._number(packet.opaque))
            return []

    def _drained(self) -> list[av.VideoFrame]:
        """What the decoder holds back until it knows the order of its pictures; then it is as new."""
        try:
            return self._context.decode(None)
        except FFmpegError:
            return []  # the packet's own fault, and counted there
        finally:
            self._context.flush_buffers()

    def _count(self, burst: Burst, pictures: int) -> None:
        packets = sum(packet.size > 0 for packet in burst.packets)
        if burst.depth == "reference":
            self._tally.skipped += max(0, packets - pictures)
        self._depths.decoded(packets, pictures, burst.depth)

    def _judged(self, frame: av.VideoFrame) -> Picture:
        number = self._number(frame.opaque)
        if frame.is_corrupt:
            self._tally.decode_errors += 1
            self._trust.damaged(number)
        pts_s = None if frame.pts is None or self._tick_s is None else frame.pts * self._tick_s
        trusted = self._trust.judge(
            packet=number,
            key=frame.key_frame,
            pts_s=pts_s,
            at_s=self._arrived_s(frame.opaque),
            complete=self._complete,
        )
        return Picture(frame, pts_s, trusted)

    def _number(self, opaque: object) -> int:
        """Of the packet that carries this, or whose picture does."""
        return int(opaque[0]) if isinstance(opaque, tuple) else self._packets

    def _arrived_s(self, opaque: object) -> float:
        """When that packet came, which may have waited since."""
        return float(opaque[1]) if isinstance(opaque, tuple) else self._clock.now_s()
