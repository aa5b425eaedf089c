"""One connection at a time, from opening to its end: pictures become frames on the pipeline's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import av

from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.ingest.decoder import Picture
from monitor.ingest.depth import Needs
from monitor.ingest.frame import AvFrame, Converter
from monitor.ingest.pacing import Pacer
from monitor.ingest.ring import PacketRing
from monitor.ingest.source import Source
from monitor.ingest.tally import Tally
from monitor.ingest.turn import Turn
from monitor.ingest.way import Way
from monitor.messages import Frame
from monitor.stream_config import StreamConfig

LOST_STALLS = 2
"""Times `stall_s` after which a connection that brings no picture is given up: people first see it stalled."""


class Feed:
    """Reads connections of one stream, one after the other, and hands their frames on.

    Args:
        config: what to read.
        on_frame: takes every frame that is wanted.
        on_picture: called for every picture decoded, before `on_frame`.
        wanted: asked with a frame's `at_s` before it is handed on; all are wanted without it.
        clock: tells when frames arrive.
        tally: counts what comes.
        open_s: seconds of silence after which opening is given up.
        untrusted_s: seconds without a trusted picture after which a connection is given up.
        ring: keeps the packets of the last seconds; None: none are kept.
        way: tells what to open.
        needs: what is needed of the pictures; None: all of them.
    """

    def __init__(
        self,
        config: StreamConfig,
        *,
        on_frame: Callable[[Frame], None],
        on_picture: Callable[[Turn], None],
        wanted: Callable[[float], bool] | None,
        clock: Clock,
        tally: Tally,
        open_s: float,
        untrusted_s: float,
        ring: PacketRing | None = None,
        way: Way | None = None,
        needs: Needs | None = None,
    ) -> None:
        self._config = config
        self._way = way or Way(config)
        self._on_frame = on_frame
        self._on_picture = on_picture
        self._wanted = wanted
        self._clock = clock
        self._tally = tally
        self._open_s = open_s
        self._untrusted_s = untrusted_s
        self._ring = ring
        self._needs = needs

    def run(self, turn: Turn) -> str:
        """Reads one connection, or a recording and, where it loops, the same again.

        Returns:
            How a recording has ended; a live stream never does.

        Raises:
            SourceError: it cannot be opened, or the connection is lost; the reason, without the address.
            TurnOver: the turn ended first.
        """
        pacer = Pacer(self._clock)
        converter = Converter()
        recording = self._config.scheme == "file"
        self._tally.connections += 1
        while True:
            frames_before = self._tally.frames
            end = "end of file"
            try:
                self._play(turn, pacer, converter)
            except SourceError as error:
                # A damaged end of a recording is an end: nothing better comes of reading it once more.
                if not recording or self._tally.frames == frames_before:
                    raise
                end = f"end of what can be read: {error}"
            if not recording:
                raise SourceError("connection lost: the other end closed it")
            if self._tally.frames == frames_before:
                raise SourceError("no picture in it can be decoded")
            if not self._config.loop:
                return end

    def _play(self, turn: Turn, pacer: Pacer, converter: Converter) -> None:
        """Opens the input and hands its frames on, to its end."""
        with self._opened(turn) as source:
            trusted_s = self._clock.now_s()
            turn.expect(trusted_s)
            pacer.begin(source.frame_s)
            packets = source.packets()
            while True:
                with turn.inside_ffmpeg():
                    packet = next(packets, None)
                turn.check()
                if packet is None:
                    return
                if source.ahead_of_time and source.is_picture(packet):
                    pacer.wait(turn, source.plays_s(packet))
                pictures = self._decode(turn, source, packet)
                if pictures:
                    self._hand_on(turn, pictures, converter)
                    now_s = self._clock.now_s()
                    turn.expect(now_s)
                    if source.ahead_of_time or any(picture.trusted for picture in pictures):
                        trusted_s = now_s
                    elif now_s - trusted_s > self._untrusted_s:
                        raise SourceError(f"connection given up: damaged pictures only for {self._untrusted_s:g} s")
                elif source.asleep and source.is_picture(packet):  # sound alone is no sign of life
                    turn.expect(self._clock.now_s())
                elif turn.silent_s() > LOST_STALLS * self._config.stall_s:
                    raise SourceError("connection given up: data arrives, but no picture can be made of it")

    def _decode(self, turn: Turn, source: Source, packet: av.Packet[Any]) -> list[Picture]:
        due = self._wanted is None or self._wanted(self._clock.now_s())
        with turn.inside_ffmpeg():
            pictures = source.decode(packet, due=due)
        turn.check()
        return pictures

    @contextmanager
    def _opened(self, turn: Turn) -> Iterator[Source]:
        with turn.inside_ffmpeg():
            source = Source.open(
                self._way.url(),
                clock=self._clock,
                tally=self._tally,
                transport=self._config.transport,
                open_s=self._open_s,
                silence_s=LOST_STALLS * self._config.stall_s,
                ring=self._ring,
                needs=self._needs,
                hardware=self._config.hardware,
            )
        try:
            turn.check()
            yield source
        finally:
            with turn.inside_ffmpeg():
                source.close()

    def _hand_on(self, turn: Turn, pictures: list[Picture], converter: Converter) -> None:
        """Hands on what is wanted of the pictures that came at once: only the newest is of now."""
        at_s = self._clock.now_s()
        for picture in pictures:
            index = self._tally.frames
            self._tally.frames += 1
            self._tally.distrusted += not picture.trusted
            self._on_picture(turn)
            if self._wanted is not None and (picture is not pictures[-1] or not self._wanted(at_s)):
                self._tally.unwanted += 1
                continue
            name = self._config.name
            self._on_frame(AvFrame(name, index, at_s, picture.pts_s, picture.trusted, picture.video, converter))
