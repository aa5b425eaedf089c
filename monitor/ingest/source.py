"""One open input: whatever FFmpeg opens, decoded picture by picture.

It does not retry, wait or pace; `reader` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Self

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.ingest.address import Address, Transport
from monitor.ingest.decoder import DECODER_LIMITS, LARGEST_PX, Decoder, Picture
from monitor.ingest.depth import Needs
from monitor.ingest.hardware import hardware_decoder
from monitor.ingest.loss import with_losses
from monitor.ingest.ring import PacketRing
from monitor.ingest.tally import Tally

_DEFAULT_FPS = 25.0
# Their packets are numbered, and FFmpeg's log tells which are missing.
_RTP = ("rtsp", "rtsps", "rtp")
# Over these, packets can be lost: RTSP servers drop some of a slow client's even over TCP.
_LOSSY = (*_RTP, "udp", "srt")
# These are read faster than they play: from a disk, or in segments that arrive whole.
_AHEAD_OF_TIME = ("hls", "dash")


class Source:
    """A container that is open, and its first video stream. Close it: a camera counts its clients.

    Use `open`; usable as a context manager.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        address: Address,
        *,
        clock: Clock,
        tally: Tally,
        silence_s: float | None,
        ring: PacketRing | None,
        needs: Needs | None,
    ) -> None:
        self._container = container
        self._stream = stream
        self._address = address
        self._clock = clock
        self._tally = tally
        self._silence_s = silence_s
        self._decoder = Decoder(
            stream, clock=clock, tally=tally, lossy=address.scheme in _LOSSY, needs=needs, fps=self.fps
        )
        self._recording = None if ring is None else ring.begin(stream)
        self._tick_s = None if stream.time_base is None else float(stream.time_base)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock,
        tally: Tally,
        transport: Transport = "tcp",
        open_s: float | None = None,
        silence_s: float | None = None,
        ring: PacketRing | None = None,
        needs: Needs | None = None,
        hardware: str | None = None,
    ) -> Self:
        """Opens an address.

        Args:
            url: as in the configuration, credentials included.
            clock: tells when pictures arrive.
            tally: what is read is counted here.
            transport: how RTSP carries its packets.
            open_s: seconds of silence after which opening is given up; None waits for ever. FFmpeg opens in two
                steps with as much time for each.
            silence_s: seconds of silence after which reading is given up; None waits for ever.
            ring: keeps the packets of the last seconds, before they are decoded.
            needs: what is needed of its pictures, others being left undecoded; None: all of them.
            hardware: what decodes, as `hardware_decoder` takes it; None: the processor.

        Raises:
            SourceError: it cannot be opened or holds no video; the reason, without the address.
        """
        address = Address(url)
        recipe = address.recipe(transport)
        decoder = hardware_decoder(hardware)
        failure = SourceError("cannot open: no video in it that this build of FFmpeg can decode")
        for options in recipe.attempts:
            began_s = clock.now_s()
            try:
                container = av.open(
                    recipe.url,
                    format=recipe.format,
                    options={**options, **DECODER_LIMITS},
                    metadata_errors="replace",
                    timeout=(open_s, silence_s),
                    hwaccel=decoder,
                )
            except FFmpegError as error:
                waited_s = clock.now_s() - began_s
                silent = open_s is not None and waited_s >= open_s
                failure = address.cannot_open(error, silent_s=waited_s if silent else None)
                if silent or not isinstance(error, InvalidDataError):
                    # Not "from error": its text quotes the address.
                    raise failure from None
                continue
            except RuntimeError:  # of PyAV, where it finds nothing in it that the hardware decodes
                if decoder is None:
                    raise
                raise SourceError(f"cannot open: hardware {hardware} cannot decode what is in it") from None
            stream = _video_stream(container)
            declared = stream and (stream.codec_context.width, stream.codec_context.height)
            if declared and declared[0] * declared[1] > LARGEST_PX:
                container.close()
                raise SourceError(f"cannot open: pictures of {declared[0]} x {declared[1]} px are too large")
            if stream is not None:
                return cls(
                    container, stream, address, clock=clock, tally=tally, silence_s=silence_s, ring=ring, needs=needs
                )
            container.close()
        raise failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection in good form: an RTSP server is told."""
        self._container.close()

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""
        return self._stream.codec_context.name

    @property
    def fps(self) -> float | None:
        """The frame rate the stream declares, where it is a credible one."""
        # FFmpeg's own guess comes last: it may well be the rate of fields.
        for rate in (self._stream.average_rate, self._stream.codec_context.framerate, self._stream.guessed_rate):
            # RTP's clock of 90 kHz turns up here where nothing better is known.
            if rate is not None and 0 < rate <= 1000:
                return float(rate)
        return None

    @property
    def frame_s(self) -> float:
        """How long a picture lasts, seconds, as far as the stream tells."""
        return 1 / (self.fps or _DEFAULT_FPS)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the container says of itself."""
        return self._container.metadata

    @property
    def duration_s(self) -> float | None:
        """Length of a recording, seconds, where the container knows."""
        duration = self._container.duration
        return None if duration is None else duration / av.time_base

    @cached_property
    def ahead_of_time(self) -> bool:
        """Whether it can be read faster than it plays, so that someone must pace it."""
        recorded = self._address.scheme in {"http", "https"} and self.duration_s is not None
        return self._address.scheme == "file" or recorded or self._container.format.name in _AHEAD_OF_TIME

    @property
    def asleep(self) -> bool:
        """Whether only keyframes are decoded now, because nobody is there and nothing moves."""
        return self._decoder.asleep

    def read(self) -> Iterator[list[Picture]]:
        """Yields the pictures that each packet brings, often none.

        Ends and raises as `packets`.
        """
        for packet in self.packets():
            yield self.decode(packet)

    def packets(self) -> Iterator[av.Packet[Any]]:
        """Yields each packet, those of sound as well, so that the caller gets a word in between.

        Ends where FFmpeg sees an end, which a server that was killed also is.

        Raises:
            SourceError: the connection is lost; the reason, without the address.
        """
        asked_s = self._clock.now_s()
        try:
            for packet, lost in self._demux():
                waited_s = self._clock.now_s() - asked_s
                if self._silence_s is not None and waited_s >= self._silence_s:
                    # FFmpeg has given up and hands out the rest of its buffers, then waits as long again.
                    raise SourceError(f"connection lost: nothing arrived for {waited_s:.0f} s")
                if lost:
                    # It may well concern a packet of pictures where one of sound came first.
                    self._decoder.lost()
                yield packet
                asked_s = self._clock.now_s()
        except FFmpegError as error:
            raise SourceError(self._address.lost(error)) from None

    def plays_s(self, packet: av.Packet[Any]) -> float | None:
        """When a packet's turn to be decoded comes as the recording plays, seconds; None where it does not tell."""
        time = packet.pts if packet.dts is None else packet.dts
        return None if time is None or self._tick_s is None else time * self._tick_s

    def is_picture(self, packet: av.Packet[Any]) -> bool:
        """Whether a packet holds something of the pictures; those that flush the decoders at the end hold nothing."""
        return packet.stream is self._stream and packet.size > 0

    def decode(self, packet: av.Packet[Any], *, due: bool = True) -> list[Picture]:
        """The pictures that a packet brings, and those that waited for it; none where it waits itself.

        Args:
            packet: the next one of `packets`.
            due: whether its picture is looked at; if not, it may wait.
        """
        # Not by its index, which is 0 in the packets by which PyAV flushes the decoders at the end.
        if packet.stream is not self._stream:
            return []
        if self._recording is not None:
            self._recording.add(packet)
        return self._decoder.decode(packet, due=due)

    def _demux(self) -> Iterator[tuple[av.Packet[Any], bool]]:
        """Packets, and whether some were lost on the way."""
        packets = self._container.demux()
        return with_losses(packets) if self._address.scheme in _RTP else zip(packets, itertools.repeat(False))


def _video_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures that can be decoded; a cover picture is none."""
    for stream in container.streams.video:
        # PyAV has no codec context where FFmpeg has no decoder, whatever its type stubs say.
        if stream.codec_context and not stream.disposition & Disposition.attached_pic:
            return stream
    return None
