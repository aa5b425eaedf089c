"""Compressed pictures of one session to frames, in a thread of its own: the network never waits for a decoder."""

from __future__ import annotations

import io
import queue
import struct
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from monitor.clock import Clock
from monitor.ingest.decoder import DECODER_LIMITS
from monitor.ingest.frame import AvFrame, Converter
from monitor.ingest.ring import PacketRing, Recording
from monitor.ingest.tally import Tally
from monitor.ingest.trust import Trust
from monitor.ingest.turn import Turn, TurnOver
from monitor.ingest.webrtc.assembly import Codec, Encoded
from monitor.messages import Frame
from monitor.redact import one_line

_TICKS = Fraction(1, 90_000)
_MOST_WAITING = 90
"""Compressed pictures that wait for the decoder: three seconds. Past that it is too slow, and one is lost."""


class Pictures:
    """Decodes what one session sends, and hands its frames on.

    Args:
        name: of the stream.
        turn: the session's time in charge; ends it where it is over.
        on_frame: takes every frame that is wanted.
        on_picture: called for every picture decoded, before `on_frame`.
        on_damage: called where a picture could not be decoded: a keyframe is needed.
        wanted: asked with a frame's `at_s` before it is handed on; all are wanted without it.
        clock: tells when frames arrive.
        tally: counts what comes.
        ring: keeps the packets of the last seconds; None: none are kept.
    """

    def __init__(
        self,
        name: str,
        turn: Turn,
        *,
        on_frame: Callable[[Frame], None],
        on_picture: Callable[[Turn], None],
        on_damage: Callable[[], None],
        wanted: Callable[[float], bool] | None,
        clock: Clock,
        tally: Tally,
        ring: PacketRing | None,
    ) -> None:
        self._name = name
        self._turn = turn
        self._on_frame = on_frame
        self._on_picture = on_picture
        self._on_damage = on_damage
        self._wanted = wanted
        self._clock = clock
        self._tally = tally
        self._waiting: queue.Queue[Encoded | None] = queue.Queue(_MOST_WAITING + 1)
        self._overflown = False
        self._keeping = None if ring is None else _Keeping(ring)
        self._decoder: VideoCodecContext | None = None
        self._codec: Codec | None = None
        self._trust = Trust(lossy=False)  # what is missing is known by its number
        self._number = 0
        self._converter = Converter()
        self._thread = threading.Thread(target=self._decode_all, name=f"decode-{name}", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, picture: Encoded) -> None:
        """Takes a picture; never blocks."""
        if self._waiting.qsize() >= _MOST_WAITING:
            self._tally.outrun += 1
            if not self._overflown:
                self._overflown = True
                self._on_damage()
            return
        if self._overflown:
            self._overflown = False
            picture = Encoded(picture.codec, picture.data, picture.ticks, picture.key, lost_before=True)
        self._waiting.put_nowait(picture)

    def end(self) -> None:
        """Lets the thread end; returns at once."""
        self._turn.over.set()
        if self._waiting.qsize() <= _MOST_WAITING:
            self._waiting.put_nowait(None)

    def join(self, timeout_s: float) -> bool:
        """Waits for the thread, which was told to end; False where it is still busy."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def codec(self) -> Codec | None:
        """Of what came last."""
        return self._codec

    @property
    def died(self) -> bool:
        """Whether the thread has ended without being told to."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._turn.over.is_set()

    def _decode_all(self) -> None:
        while (picture := self._waiting.get()) is not None and not self._turn.over.is_set():
            try:
                self._decode(picture)
            except TurnOver:
                break
            except Exception as error:  # noqa: BLE001 - a callback's fault, or ours, costs the session
                self._turn.died_of = one_line(error)
                break
        if self._keeping is not None:
            self._keeping.end()

    def _decode(self, picture: Encoded) -> None:
        packet = self._packet(picture)
        if self._keeping is not None:
            self._keeping.add(picture, packet)
        try:
            with self._tally.decoding(), self._turn.inside_ffmpeg():
                frames = self._decoder_of(picture.codec).decode(packet)
        except FFmpegError:
            self._tally.decode_errors += 1
            self._trust.damaged(self._number)
            self._on_damage()
            return
        for frame in frames:
            self._hand_on(frame)

    def _packet(self, picture: Encoded) -> av.Packet[Any]:
        if picture.lost_before:
            self._number += 1  # stands for all that was lost
            self._trust.damaged(self._number)
        self._number += 1
        packet: av.Packet[Any] = av.Packet(picture.data)
        packet.pts = packet.dts = picture.ticks
        packet.time_base = _TICKS
        packet.is_keyframe = picture.key
        packet.opaque = (self._number,)
        return packet

    def _decoder_of(self, codec: Codec) -> VideoCodecContext:
        if self._decoder is None or codec != self._codec:
            decoder = av.CodecContext.create(codec, "r")
            assert isinstance(decoder, VideoCodecContext)
            # As for cameras: its own threads would add a frame of delay each.
            decoder.thread_type = "NONE"
            decoder.copy_opaque = True
            decoder.options = dict(DECODER_LIMITS)
            self._decoder, self._codec = decoder, codec
        return self._decoder

    def _hand_on(self, video: av.VideoFrame) -> None:
        self._turn.check()
        at_s = self._clock.now_s()
        number = video.opaque[0] if isinstance(video.opaque, tuple) else self._number
        if video.is_corrupt:
            self._tally.decode_errors += 1
            self._trust.damaged(number)
            self._on_damage()
        pts_s = None if video.pts is None else float(video.pts * _TICKS)
        trusted = self._trust.judge(packet=number, key=video.key_frame, pts_s=pts_s, at_s=at_s)
        self._turn.expect(at_s)
        index = self._tally.frames
        self._tally.arrived(at_s)
        self._tally.distrusted += not trusted
        self._on_picture(self._turn)
        if self._wanted is not None and not self._wanted(at_s):
            self._tally.unwanted += 1
            return
        self._on_frame(AvFrame(self._name, index, at_s, pts_s, trusted, video, self._converter))


class _Keeping:
    """Fills the ring for clips. It wants an open input to know the stream by; a keyframe makes one."""

    def __init__(self, ring: PacketRing) -> None:
        self._ring = ring
        self._input: Any = None
        self._recording: Recording | None = None
        self._size: tuple[int, int] | None = None
        self._hole = False

    def add(self, picture: Encoded, packet: av.Packet[Any]) -> None:
        """Keeps a packet, before it is decoded."""
        if picture.key:
            self._look(picture)
        # What refers to something lost cannot be played: it goes on with the next keyframe.
        self._hole = not picture.key and (self._hole or picture.lost_before)
        if self._recording is not None and not self._hole:
            kept: av.Packet[Any] = av.Packet(bytes(packet))
            kept.pts = kept.dts = round(picture.ticks * _TICKS / self._recording.time_base)
            kept.is_keyframe = picture.key
            self._recording.add(kept)

    def end(self) -> None:
        """Lets go of the input."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def _look(self, picture: Encoded) -> None:
        """Begins a recording where the stream is not as it was."""
        try:
            container = av.open(io.BytesIO(_file(picture)), format="h264" if picture.codec == "h264" else "ivf")
        except (FFmpegError, ValueError):
            return
        stream = container.streams.video[0]
        size = stream.codec_context.width, stream.codec_context.height
        if self._recording is not None and size == self._size and stream.codec_context.name == self._recording.codec:
            container.close()
            return
        self.end()
        self._input, self._size = container, size
        self._recording = self._ring.begin(stream)


def _file(picture: Encoded) -> bytes:
    """A file of that one picture, as FFmpeg reads files of its codec."""
    if picture.codec == "h264":
        return picture.data
    width, height = (
        (side & 0x3FFF for side in struct.unpack_from("<HH", picture.data, 6)) if len(picture.data) > 10 else (0, 0)
    )
    header = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", width, height, 90_000, 1, 1, 0)
    return header + struct.pack("<IQ", len(picture.data), 0) + picture.data
