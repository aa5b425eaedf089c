"""A two-sided CUSUM: evidence for and against from scores that nobody has calibrated, the encoder's log-odds.

Page, E. S. (1954), Continuous inspection schemes. Biometrika 41. Each side adds what a block exceeds its drift by, and
never falls below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.decision.evidence import State

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cusum:
    """The constants of the statistic, in units of one block's score."""

    clip: float = 3.0
    """Largest mean score, either way, that a block may speak with."""
    drift: float = 1.0
    """Score that a block must exceed, either way, to add to its side; below it the side decays."""
    cap: float = 24.0
    """Where both sides saturate, so that a change is noticed in bounded time however long the past."""

    def begin(self) -> State:
        """Nothing on either side."""
        return 0.0, 0.0

    def step(self, state: State, score: float, weight: float = 1.0) -> State:
        """Both sides after one more block: the upper, which speaks for fake, and the lower."""
        upper, lower = state
        clipped = max(-self.clip, min(self.clip, score * weight))
        return self._side(upper + clipped), self._side(lower - clipped)

    def sides(self, state: State) -> tuple[float, float]:
        """They are what is kept."""
        upper, lower = state
        return upper, lower

    def upper(self, scores: Numbers, state: Numbers | None = None) -> tuple[Numbers, Numbers]:
        """The upper side of many tracks after each block, to the last bit what `step` makes of them one by one.

        Args:
            scores: mean score of each block, (blocks, tracks), all of weight 1; NaN where a block held no crop.
            state: what came out for the blocks before these; None where there were none.

        Returns:
            Evidence after each block, (blocks, tracks), and the state that goes on from the last, (1, tracks).
        """
        evidence = np.empty_like(scores)
        side = np.zeros(scores.shape[1]) if state is None else state[0]
        clipped = np.clip(scores, -self.clip, self.clip)
        for block, score in enumerate(clipped):
            after = np.maximum(0.0, np.minimum(self.cap, side + score - self.drift))
            side = evidence[block] = np.where(np.isnan(score), side, after)
        return evidence, side[None]

    def _side(self, after: float) -> float:
        return max(0.0, min(self.cap, after - self.drift))
