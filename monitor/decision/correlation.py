"""How long the logits of one person stay alike: by how much less a second says than an independent picture would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST_LAG = 300
_FEWEST_PAIRS = 30
_LEAST_VARIANCE = 1e-9
"""Scores that differ by less are all the same, but for rounding."""


def correlation_time(tracks: Sequence[NDArray[np.float64]]) -> float:
    """The correlation time 1 + 2 (rho_1 + rho_2 + ...): so many blocks say as much as one independent one.

    Each track is taken about its own mean: that people differ is not what is measured here. Correlations are added as
    long as two that follow each other are positive together (Geyer 1992); beyond that they are noise.

    Args:
        tracks: for each track its mean logit in every block it lived through, (blocks,), NaN where there was none.

    Returns:
        At least 1; 1 where there is too little to measure.
    """
    centred = [track - np.nanmean(track) for track in tracks if np.isfinite(track).sum() > 1]
    variance = _mean_product(centred, 0)
    if variance is None or variance < _LEAST_VARIANCE:
        return 1.0
    total, lag = 0.0, 1
    while lag < _LONGEST_LAG:
        first, second = _mean_product(centred, lag), _mean_product(centred, lag + 1)
        if first is None or second is None or first + second <= 0:
            break
        total += (first + second) / variance
        lag += 2
    return max(1.0, 1.0 + 2.0 * total)


def _mean_product(tracks: Sequence[NDArray[np.float64]], lag: int) -> float | None:
    """Of all values `lag` blocks apart, or None where they are few."""
    total, count = 0.0, 0
    for track in tracks:
        product = track[: len(track) - lag] * track[lag:] if lag < len(track) else track[:0]
        seen = np.isfinite(product)
        total += float(product[seen].sum())
        count += int(seen.sum())
    return total / count if count >= _FEWEST_PAIRS else None
