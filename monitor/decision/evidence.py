"""Evidence of one track: its crops in blocks of one second, and what a rule makes of the blocks.

The logits of one person are strongly correlated, so a block adds its mean once however many crops it holds, and no
block adds more than the rule allows: no single picture, and no burst of them, decides anything.

There are two rules: `Cusum` for log-odds that nobody has calibrated, `LikelihoodRatio` for calibrated scores.
"""

from __future__ import annotations

from typing import Protocol

from monitor.messages import BLOCK_S

State = tuple[float, ...]
"""What a rule keeps of a track's past."""


class EvidenceRule(Protocol):
    """How one block after the other becomes evidence."""

    def begin(self) -> State:
        """What is held of a track that has not been seen."""

    def step(self, state: State, score: float, weight: float) -> State:
        """What is held after one more block: the mean score of its crops, and how much it counts, 0 to 1."""

    def sides(self, state: State) -> tuple[float, float]:
        """How much speaks for a manipulated face, and how much for a real one; neither is negative."""


class TrackEvidence:
    """Evidence of one track.

    The block in progress already counts in `fake` and `real`, revised as its crops arrive; it becomes final when a
    later block begins or `close_before` says that it is over.

    Args:
        rule: what makes evidence of blocks.
    """

    def __init__(self, rule: EvidenceRule) -> None:
        self._rule = rule
        self._final = self._now = rule.begin()
        self._block: int | None = None
        self._block_sum = 0.0
        self._block_weight = 0.0
        self._block_count = 0
        self._closed_blocks = 0
        self.fake = 0.0
        """How much speaks for a manipulated face."""
        self.real = 0.0
        """How much speaks for a real face."""
        self.late = 0
        """Crops that arrived after their block was final; they add nothing."""

    def add(self, score: float, at_s: float, weight: float = 1.0) -> bool:
        """Takes one crop's score into the block it was seen in; False if that block is final.

        Args:
            score: of the crop.
            at_s: when it was seen.
            weight: how much it counts, above 0 up to 1.
        """
        block = int(at_s // BLOCK_S)
        if self._block is not None and block < self._block:
            self.late += 1
            return False
        if block != self._block:
            self._close()
            self._block = block
        self._block_sum += weight * score
        self._block_weight += weight
        self._block_count += 1
        mean = self._block_sum / self._block_weight
        self._now = self._rule.step(self._final, mean, self._block_weight / self._block_count)
        self.fake, self.real = self._rule.sides(self._now)
        return True

    def close_before(self, at_s: float) -> None:
        """Makes the block in progress final if it ended before `at_s`."""
        if self._block is not None and (self._block + 1) * BLOCK_S <= at_s:
            self._close()
            self._block += 1  # final is final: what comes for it from now on is late

    def restart(self) -> None:
        """Forgets all evidence, as a new session does; blocks that are final stay final."""
        self._close()
        self._final = self._now = self._rule.begin()
        self.fake = self.real = 0.0
        self._closed_blocks = 0

    @property
    def blocks(self) -> int:
        """Blocks that held at least one crop."""
        return self._closed_blocks + (1 if self._block_count else 0)

    def _close(self) -> None:
        self._final = self._now
        self._closed_blocks += 1 if self._block_count else 0
        self._block_sum, self._block_weight, self._block_count = 0.0, 0.0, 0
