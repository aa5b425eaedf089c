"""One connection of one stream: what receives it, and what decodes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.ingest.ring import PacketRing
from monitor.ingest.tally import Tally
from monitor.ingest.turn import Turn
from monitor.ingest.webrtc.assembly import Assembler, Codec
from monitor.ingest.webrtc.peer import Peer
from monitor.ingest.webrtc.pictures import Pictures
from monitor.messages import Frame
from monitor.stream_config import StreamConfig
from monitor.webrtc_config import WebRtcConfig


@dataclass(frozen=True, slots=True)
class Receiver:
    """What all sessions of a stream have in common.

    Attributes:
        config: the stream.
        webrtc: how the other end finds us.
        on_frame: takes every frame that is wanted.
        on_picture: called for every picture decoded, before `on_frame`.
        wanted: asked with a frame's `at_s` before it is handed on; all are wanted without it.
        clock: tells when frames arrive.
        tally: counts what comes.
        ring: keeps the packets of the last seconds; None: none are kept.
    """

    config: StreamConfig
    webrtc: WebRtcConfig
    on_frame: Callable[[Frame], None]
    on_picture: Callable[[Turn], None]
    wanted: Callable[[float], bool] | None
    clock: Clock
    tally: Tally
    ring: PacketRing | None


class Session:
    """A connection from its offer to its end.

    Args:
        name: tells it apart from others of the stream.
        receiver: what it is part of.
        on_end: called, perhaps more than once, when the other end has closed it or is lost; says how.
    """

    def __init__(self, name: str, receiver: Receiver, on_end: Callable[[Session, str], None]) -> None:
        self.name = name
        self.turn = Turn(receiver.clock)
        self._receiver = receiver
        self._frames_before = receiver.tally.frames
        self.pictures = Pictures(
            receiver.config.name,
            self.turn,
            on_frame=receiver.on_frame,
            on_picture=receiver.on_picture,
            on_damage=self._ask_for_key,
            wanted=receiver.wanted,
            clock=receiver.clock,
            tally=receiver.tally,
            ring=receiver.ring,
        )
        self.peer = Peer(receiver.webrtc, self._assembler, lambda how: on_end(self, how))

    @property
    def has_shown(self) -> bool:
        """Whether a picture has come."""
        return self._receiver.tally.frames > self._frames_before

    def begin(self) -> None:
        """The connection is agreed on: what comes is decoded."""
        self._receiver.tally.connections += 1
        self.turn.expect(self._receiver.clock.now_s())
        self.pictures.start()

    async def close(self) -> None:
        """Ends the connection; nothing of it is called back any more."""
        self.pictures.end()
        await self.peer.close()

    def _assembler(self, codecs: dict[int, Codec]) -> Assembler:
        ring = self._receiver.ring
        return Assembler(
            codecs,
            self._receiver.clock,
            self._receiver.tally,
            self.pictures.put,
            # A clip begins at a keyframe, which browsers send when asked.
            key_every_s=None if ring is None else max(2.0, ring.seconds / 2),
        )

    def _ask_for_key(self) -> None:
        if self.peer.assembler is not None:
            self.peer.assembler.want_key()
