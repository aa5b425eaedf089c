"""What one track did, block by block of one second: the bookkeeping behind `TrackObservation`."""

from __future__ import annotations

from collections import Counter

from monitor.messages import BLOCK_S, Box, Frozen, TrackObservation


class BlockAccount:
    """Counts what happens to one track and tells it once per block, as soon as a later block begins.

    Blocks in which the face was not seen are not told. Presence is the time between two sightings in consecutive
    analyses, divided at the blocks' edges.

    Args:
        stream: name of the stream.
        track: identity of the track.
        first_seen_s: when it was first seen; its first block.
        box: where that was.
    """

    def __init__(self, stream: str, track: str, first_seen_s: float, box: Box) -> None:
        self._stream = stream
        self._track = track
        self._first_seen_s = first_seen_s
        self._box = box
        self._frozen: tuple[Frozen, ...] = ()
        self._open(_block(first_seen_s))
        self._seen = True

    def see(self, since_s: float, at_s: float, box: Box) -> list[TrackObservation]:
        """The face was seen at `at_s` and, without a break, from `since_s`; returns the blocks that this ends."""
        ended = []
        for block in range(max(_block(since_s), self._block), _block(at_s)):
            ended += self.advance(block * BLOCK_S, at_s)
            self._present_s += (block + 1) * BLOCK_S - max(since_s, block * BLOCK_S)
            self._seen = True
        ended += self.advance(at_s, at_s)
        self._present_s += at_s - max(since_s, self._block * BLOCK_S)
        self._box = box
        self._seen = True
        return ended

    def advance(self, to_s: float, at_s: float) -> list[TrackObservation]:
        """Goes on to the block of `to_s`; returns the block before, if it ends by this, as sent at `at_s`."""
        if _block(to_s) <= self._block:
            return []
        ended = [self._observation(at_s)] if self._seen else []
        self._open(_block(to_s))
        return ended

    def sample(self) -> None:
        """A crop was handed to scoring."""
        self._sampled += 1

    def gate(self, cause: str) -> None:
        """A crop was due, but the face was not fit for it."""
        self._gated[cause] += 1

    def freeze(self, frozen: tuple[Frozen, ...]) -> None:
        """How the face does not live at the moment; holds until it is told otherwise."""
        self._frozen = frozen

    def end(self, at_s: float) -> list[TrackObservation]:
        """The track ended at `at_s`; returns what is left to tell, the last of it marked `ended`."""
        return [*self.advance(at_s, at_s), self._observation(at_s, ended=True)]

    def _open(self, block: int) -> None:
        self._block = block
        self._seen = False
        self._present_s = 0.0
        self._sampled = 0
        self._gated: Counter[str] = Counter()

    def _observation(self, at_s: float, *, ended: bool = False) -> TrackObservation:
        return TrackObservation(
            self._stream,
            self._track,
            at_s=at_s,
            block=self._block,
            present_s=self._present_s,
            sampled=self._sampled,
            gated=dict(self._gated),
            box=self._box,
            first_seen_s=self._first_seen_s,
            ended=ended,
            frozen=self._frozen,
        )


def _block(at_s: float) -> int:
    return int(at_s // BLOCK_S)
