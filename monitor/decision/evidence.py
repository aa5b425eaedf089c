"""How the scores of one track become evidence: a two-sided CUSUM over blocks of one second.

Page, E. S. (1954), Continuous inspection schemes. Biometrika 41. The logits of one person are strongly
correlated, so a block adds its mean once however many crops it holds, and no block adds more than the clip
allows: no single picture, and no burst of them, decides anything.

Each side forgets a little with every block. Without it a real person whom the encoder takes for a little too fake all
day long (there is one on every camera) piles up evidence for as long as the session lasts, the threshold that keeps the
false alarms down has to stand above that, and every real alert waits for it.

Scores come in as a calibration makes them (`scores.py`), or, uncalibrated, as the encoder's log-odds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.messages import BLOCK_S


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """The constants of the statistic, in units of one block's score."""

    clip: float = 3.0
    """Largest mean score, either way, that a block may speak with."""
    drift: float = 1.0
    """Score that a block must exceed, either way, to add to its side; below it the side decays."""
    cap: float = 24.0
    """Where both sides saturate, so that a change is noticed in bounded time however long the past."""
    forget: float = 0.0
    """Share of either side that is lost with each block."""

    def step(self, side: float, score: float, sign: float) -> float:
        """One side after one more block: `sign` +1 for the upper side, which speaks for fake, -1 for the lower."""
        clipped = max(-self.clip, min(self.clip, score))
        return max(0.0, min(self.cap, side * (1.0 - self.forget) + sign * clipped - self.drift))

    def upper(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The upper side of many tracks after each block, to the last bit what `step` makes of them one by one.

        Args:
            scores: mean score of each block, (blocks, tracks); NaN where a block held no crop.

        Returns:
            Evidence after each block, (blocks, tracks).
        """
        evidence = np.empty_like(scores)
        side = np.zeros(scores.shape[1])
        clipped = np.clip(scores, -self.clip, self.clip)
        for block, score in enumerate(clipped):
            after = np.maximum(0.0, np.minimum(self.cap, side * (1.0 - self.forget) + score - self.drift))
            side = evidence[block] = np.where(np.isnan(score), side, after)
        return evidence


class TrackEvidence:
    """Evidence of one track.

    The block in progress already counts in `fake` and `real`, revised as its crops arrive; it becomes final when a
    later block begins or `close_before` says that it is over.
    """

    def __init__(self, rule: EvidenceRule) -> None:
        self._rule = rule
        self._fake = 0.0
        self._real = 0.0
        self._block: int | None = None
        self._block_sum = 0.0
        self._block_count = 0
        self._closed_blocks = 0
        self.late = 0
        """Crops that arrived after their block was final; they add nothing."""

    def add(self, score: float, at_s: float) -> bool:
        """Takes one crop's score into the block it was seen in; False if that block is final."""
        block = int(at_s // BLOCK_S)
        if self._block is not None and block < self._block:
            self.late += 1
            return False
        if block != self._block:
            self._close()
            self._block = block
        self._block_sum += score
        self._block_count += 1
        return True

    def close_before(self, at_s: float) -> None:
        """Makes the block in progress final if it ended before `at_s`."""
        if self._block is not None and (self._block + 1) * BLOCK_S <= at_s:
            self._close()
            self._block += 1  # final is final: what comes for it from now on is late

    def restart(self) -> None:
        """Forgets all evidence, as a new session does; blocks that are final stay final."""
        self._close()
        self._fake = self._real = 0.0
        self._closed_blocks = 0

    @property
    def fake(self) -> float:
        """Upper side: how much speaks for a manipulated face, 0 to the cap."""
        return self._step(self._fake, +1.0)

    @property
    def real(self) -> float:
        """Lower side: how much speaks for a real face, 0 to the cap."""
        return self._step(self._real, -1.0)

    @property
    def blocks(self) -> int:
        """Blocks that held at least one crop."""
        return self._closed_blocks + (1 if self._block_count else 0)

    def _step(self, side: float, sign: float) -> float:
        if not self._block_count:
            return side
        return self._rule.step(side, self._block_sum / self._block_count, sign)

    def _close(self) -> None:
        self._fake, self._real = self.fake, self.real
        self._closed_blocks += 1 if self._block_count else 0
        self._block_sum, self._block_count = 0.0, 0
