"""What one track scores in one session: three figures of any number of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackScores:
    """The scores of one track in one session, a block counting once."""

    blocks: int
    mean: float
    deviation: float
    """Of its blocks about their mean."""


class TrackPart:
    """What a track scores in a session, a block at a time; it is told once, as long as the track lives.

    What comes after that, in sessions that follow, is the same face: as if it were another, one face that is there for
    days would make the scores of many sessions.
    """

    def __init__(self) -> None:
        self._block: int | None = None
        self._sum = self._block_sum = 0.0
        self._squares = 0.0
        self._blocks = self._crops = 0
        self._told = False

    def add(self, score: float, block: int) -> None:
        """Takes the score of one crop in; blocks rise."""
        if block != self._block:
            self._close()
            self._block = block
        self._block_sum += score
        self._crops += 1

    def tell(self, least_blocks: int) -> TrackScores | None:
        """What it came to, where a session or the track ends, and there is enough of it; the next part then begins."""
        self._close()
        blocks, total, squares = self._blocks, self._sum, self._squares
        self._sum = self._squares = 0.0
        self._blocks = 0
        if self._told or blocks < least_blocks:
            return None
        self._told = True
        mean = total / blocks
        return TrackScores(blocks, mean, math.sqrt(max(0.0, squares / blocks - mean**2)))

    def _close(self) -> None:
        if self._crops:
            mean = self._block_sum / self._crops
            self._sum += mean
            self._squares += mean**2
            self._blocks += 1
        self._block_sum, self._crops = 0.0, 0
