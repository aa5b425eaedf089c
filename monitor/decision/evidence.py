"""How the logits of one track become evidence: a two-sided CUSUM over blocks of one second.

Page, E. S. (1954), Continuous inspection schemes. Biometrika 41. The logits of one person are strongly
correlated, so a block adds its mean once however many crops it holds, and no block adds more than the clip
allows: no single picture, and no burst of them, decides anything.

This first form knows no calibration: it takes the encoder's log-odds as they come.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.messages import BLOCK_S


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """The constants of the statistic, in units of log-odds per block."""

    clip: float = 3.0
    """Largest mean log-odds, either way, that a block may speak with."""
    drift: float = 1.0
    """Log-odds that a block must exceed, either way, to add to its side; below it the side decays."""
    cap: float = 24.0
    """Where both sides saturate, so that a change is noticed in bounded time however long the past."""


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

    def add(self, logit: float, at_s: float) -> bool:
        """Takes one crop's log-odds of fake into the block it was seen in; False if that block is final."""
        block = int(at_s // BLOCK_S)
        if self._block is not None and block < self._block:
            self.late += 1
            return False
        if block != self._block:
            self._close()
            self._block = block
        self._block_sum += logit
        self._block_count += 1
        return True

    def close_before(self, at_s: float) -> None:
        """Makes the block in progress final if it ended before `at_s`."""
        if self._block is not None and (self._block + 1) * BLOCK_S <= at_s:
            self._close()
            self._block += 1  # final is final: what comes for it from now on is late

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
        rule = self._rule
        mean = max(-rule.clip, min(rule.clip, self._block_sum / self._block_count))
        return max(0.0, min(rule.cap, side + sign * mean - rule.drift))

    def _close(self) -> None:
        self._fake, self._real = self.fake, self.real
        self._closed_blocks += 1 if self._block_count else 0
        self._block_sum, self._block_count = 0.0, 0
