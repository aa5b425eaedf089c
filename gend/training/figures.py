"""Figures of how well scores separate, with how far to trust them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_RESAMPLINGS = 2000


class Interval(NamedTuple):
    """A figure and the central 95 % of its bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auroc(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Probability that a fake scores above a real one, ties counting half (Mann and Whitney 1947)."""
    ranks = rankdata(np.concatenate([real, fake]))
    above = float(ranks[len(real) :].sum()) - len(fake) * (len(fake) + 1) / 2
    return above / (len(real) * len(fake))


def paired_auroc(real: NDArray[np.floating], fake: NDArray[np.floating], seed: int = 0) -> Interval:
    """AUROC of pairs, resampled by whole pairs, since the members of one are not independent.

    Args:
        real: (n,) scores.
        fake: (n,) scores of the same pictures, manipulated.
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    resampled = [
        auroc(real[chosen], fake[chosen]) for chosen in rng.integers(len(real), size=(_RESAMPLINGS, len(real)))
    ]
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(auroc(real, fake), float(low), float(high))


def probability(odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """p(fake) of log-odds."""
    return np.asarray(1 / (1 + np.exp(-odds.astype(np.float64))))
