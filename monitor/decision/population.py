"""How the scores of real people scatter: between people, and about each of them from second to second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEAST_VARIANCE = 0.01
"""No encoder is taken to be more exact than to a tenth of a nat, however alike the few scores are."""
_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Population:
    """Scores of real people, nats, and how much higher those of manipulated faces are."""

    mean: float
    """Of all people."""
    between: float
    """Variance of people's own means."""
    noise: float
    """The mean of n seconds of one person scatters about the person's own by the variance noise / n: the variance of
    one second, times the correlation time."""
    shift: float
    """How much higher a manipulated face scores."""


def measure_population(
    tracks: Sequence[NDArray[np.float64]], correlation_blocks: float, fakes: NDArray[np.float64]
) -> Population:
    """Of known real people.

    The variance between people is that of Paule and Mandel (1982): with it, the means of tracks scatter as much as they
    should, long and short tracks taken together.

    Args:
        tracks: for each track its mean score in every block it lived through, (blocks,), NaN where there was none.
        correlation_blocks: so many blocks of one track say as much as one independent one (`correlation.py`).
        fakes: scores of manipulated faces, (n,); may be empty.

    Raises:
        ValueError: no block holds a score.
    """
    seen = [track[np.isfinite(track)] for track in tracks]
    seen = [track for track in seen if len(track)]
    if not seen:
        raise ValueError("no score at all")
    count = np.array([len(track) for track in seen], dtype=float)
    means = np.array([track.mean() for track in seen])
    squares = sum(float(((track - mean) ** 2).sum()) for track, mean in zip(seen, means, strict=True))
    within = max(_LEAST_VARIANCE, squares / max(1.0, float(count.sum()) - len(seen)))
    noise = within * correlation_blocks
    between = max(_LEAST_VARIANCE, _between(means, noise / count)) if len(seen) > 1 else within
    weight = 1 / (between + noise / count)
    mean = float((weight * means).sum() / weight.sum())
    apart = float(fakes.mean()) - mean if len(fakes) else 0.0
    # Fakes that are hardly told apart, as blended ones are by some encoders, say nothing of how others will score.
    shift = max(apart, float(np.sqrt(between + within)))
    # A second of a face that is as fake as that speaks by two nats at the most.
    return Population(mean, between, max(noise, shift**2 / 4), shift)


def _between(means: NDArray[np.float64], errors: NDArray[np.float64]) -> float:
    """The variance with which the weighted squares of `means` about their mean come to one less than their number."""

    def excess(between: float) -> float:
        weight = 1 / (between + errors)
        mean = (weight * means).sum() / weight.sum()
        return float((weight * (means - mean) ** 2).sum()) - (len(means) - 1)

    low, high = 0.0, float(means.var(ddof=1)) + float(errors.max())
    if excess(low) <= 0:
        return 0.0
    while excess(high) > 0:
        high *= 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return high
