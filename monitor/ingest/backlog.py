"""Which packets are decoded, and when: no more of them, and no sooner, than the pictures are looked at.

A decoder that is woken for one picture at a time finds its caches cold: bursts cost a fifth less. So packets wait until
one comes whose picture is due; then all of them are decoded. Nothing comes later by it than it would.

While only keyframes are needed, what follows one waits until the next makes it needless. Where the pictures are wanted
again before that, it is decoded at once, so that nothing is missing to those that come.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.video.stream import VideoStream

from monitor.ingest.depth import Depth, Depths

_LONGEST_WAIT_S = 0.5
"""However rarely a picture is due: whoever watches the stream wants to see that it lives."""
_MOST_WAITING = 32
_MOST_WAITING_BYTES = 2**23
_MOST_ASLEEP = 512
"""Packets since the last keyframe: twenty seconds at 25 pictures a second."""
_MOST_ASLEEP_BYTES = 2**25


@dataclass(frozen=True, slots=True)
class Burst:
    """What is to be decoded now."""

    packets: tuple[av.Packet[VideoStream], ...]
    """In their order; none where they wait."""
    depth: Depth
    skipped: int = 0
    """Packets that will never be decoded."""


class Backlog:
    """Holds the packets of one connection until they are to be decoded.

    Args:
        depths: how deep.
        intra_only: whether every picture stands for itself.
    """

    def __init__(self, depths: Depths, *, intra_only: bool) -> None:
        self._depths = depths
        self._intra_only = intra_only
        self._depth: Depth = "all"
        self._waiting: list[av.Packet[VideoStream]] = []
        self._bytes = 0
        self._since_s = 0.0
        self._begun = False
        """Whether the first of those waiting is decoded already: the keyframe they follow."""

    @property
    def asleep(self) -> bool:
        """Whether only keyframes are decoded now."""
        return self._depth == "keyframes"

    @property
    def reference(self) -> bool:
        """Whether pictures to which no other refers are left out now."""
        return self._depth == "reference"

    def add(self, packet: av.Packet[VideoStream], at_s: float, *, due: bool) -> Burst:
        """Takes the next packet; returns what is to be decoded now.

        Args:
            packet: the next one.
            at_s: when it arrived, seconds.
            due: whether its picture is looked at.
        """
        key = packet.is_keyframe
        # Where every picture is a keyframe, only those that are due are decoded anyway.
        self._depth = "all" if self._intra_only else self._depths.of(key=key, at_s=at_s)
        # One without data ends a recording: whatever waits is decoded.
        if self.asleep and not key and packet.size and self._has_room(_MOST_ASLEEP, _MOST_ASLEEP_BYTES):
            self._keep(packet)
            return Burst((), self._depth)
        if self.asleep and key and packet.size:
            return self._doze(packet, due=due)
        self._since_s = self._since_s if self._waiting else at_s
        self._keep(packet)
        soon = at_s - self._since_s < _LONGEST_WAIT_S
        if not due and soon and self._has_room(_MOST_WAITING, _MOST_WAITING_BYTES):
            return Burst((), self._depth)
        return self._all()

    def _doze(self, key: av.Packet[VideoStream], *, due: bool) -> Burst:
        """Only the keyframe is decoded, if it is looked at, and kept for those that follow it."""
        skipped = len(self._waiting) - self._begun
        self._waiting, self._bytes, self._begun = [key], key.size, due
        return Burst((key,) if due else (), "keyframes", skipped)

    def _all(self) -> Burst:
        packets, self._waiting, self._bytes, self._begun = self._waiting, [], 0, False
        if self._intra_only and packets[-1].size:  # at the end of a recording nothing more will come
            return Burst((packets[-1],), self._depth, len(packets) - 1)
        return Burst(tuple(packets), "all" if self.asleep else self._depth)

    def _keep(self, packet: av.Packet[VideoStream]) -> None:
        self._waiting.append(packet)
        self._bytes += packet.size

    def _has_room(self, packets: int, size: int) -> bool:
        return len(self._waiting) < packets and self._bytes < size
