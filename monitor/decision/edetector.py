"""Another statistic: an e-detector, whose false alarms are bounded without footage, under an assumption.

Shin, Ramdas and Rinaldo (2022), E-detectors: a nonparametric framework for sequential change detection. With e_t the
exponential of a block's score, of Shiryaev and Roberts' kind:

    M_t = e_t (1 + M_(t-1)),    alarm when M_t >= A

If E[e_t | past] <= 1 as long as the face is real, then M_t - t is a supermartingale, and the average run length to a
false alarm is at least A blocks, whatever the scores are like otherwise and with no calibration of A.

The assumption is what people break. A real person whom the encoder takes for a little fake scores above nothing all
day: given the past, the next e-value is then larger than 1 on average, M grows without end, and the alarm comes after
minutes whatever A is (`benchmarks/decision.py --table edetector` shows it). So the monitor decides by `likelihood.py`
with a threshold from real sessions, and this stands here to compare with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shiryaev_roberts(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of M after each block, of many tracks.

    Args:
        scores: log-likelihood ratio of each block, or any number whose exponential is an e-value, (blocks, tracks); NaN
            where a block held no crop, and then nothing changes.

    Returns:
        log M, (blocks, tracks); -inf before the first crop.
    """
    logs = np.empty_like(scores)
    state = np.full(scores.shape[1], -np.inf)
    for block, score in enumerate(scores):
        state = logs[block] = np.where(np.isnan(score), state, score + np.logaddexp(0.0, state))
    return logs


def run_lengths(logs: NDArray[np.float64], least_run: float) -> NDArray[np.float64]:
    """Blocks until M reaches A = `least_run`, (tracks,); infinite where it does not."""
    reached = logs >= np.log(least_run)
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)
