"""What the tables of `decision.py` and `decision_clips.py` measure alike: evidence, promises that are kept, delays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_world import EWMAS, PRACTICES, Blocks, Practice, ewma
from monitor.decision.calibration import calibrated_rule, least_threshold
from monitor.decision.promise import Aim, promise, realised
from monitor.decision.scores import Scorer

CALL_S = 3600
SWITCH_S = 1200
_QUORUM = 8
_TRACKS = 2
"""Of a session, on average."""
Sessions = list[NDArray[np.float64]]
"""The highest evidence of each track of each session."""

OTHERS: dict[str, Practice] = PRACTICES | {f"EWMA {each:g}": ewma(each) for each in EWMAS}


def evidence(logits: Blocks, scorer: Scorer, quality: Blocks | None = None) -> Blocks:
    """What ours says after each second, of one crop in each; nothing before the quorum.

    Args:
        logits: raw, NaN where there is no crop.
        scorer: what makes scores of them.
        quality: of the crops, likewise; where it is left out, all are perfect.
    """
    scores = scorer.curves[0](logits) if quality is None else _weighted(logits, scorer, quality)
    said = calibrated_rule(scorer.correlation_blocks).upper(scores / scorer.correlation_blocks)
    return np.where(np.cumsum(~np.isnan(logits), axis=0) >= _QUORUM, said, 0.0)


def _weighted(logits: Blocks, scorer: Scorer, quality: Blocks) -> Blocks:
    """`Scorer.score` of many, before they are divided by the correlation time."""
    number = np.maximum(0, np.searchsorted(scorer.least_quality, quality, side="right") - 1)
    scores = np.full_like(logits, np.nan)
    for each, curve in enumerate(scorer.curves):
        here = (number == each) & ~np.isnan(logits)
        scores[here] = curve(logits[here])
    weighted: Blocks = scores * (0.5 + 0.5 * np.clip(quality, 0.0, 1.0))
    return weighted


def least_of(scorer: Scorer) -> float:
    """No threshold is at or below this."""
    return least_threshold(calibrated_rule(scorer.correlation_blocks))


def outcome(learnt: Sessions, fresh: Sessions, aim: Aim, least: float) -> tuple[float, float]:
    """False alarms a day: what a calibration on some sessions promises, and what happens in others."""
    made = promise(learnt, aim, least=least)
    return made.promised_per_day, aim.per_day(realised(fresh, made.threshold, aim.most_alerts))


def kept(aim: Aim, outcomes: list[tuple[float, float]], shared: int | None = None) -> str:
    """Three cells: promised; happened, with its interval; share of calibrations with more than was asked for.

    Args:
        aim: what was asked for.
        outcomes: of each calibration.
        shared: number of fresh sessions where all calibrations were judged by the same.
    """
    promised, happened = np.array(outcomes).T
    mean = float(happened.mean())
    of_fresh = 0.0
    if shared is not None:
        share = min(1.0, mean / aim.per_day(1.0))
        of_fresh = aim.per_day(np.sqrt(share * (1 - share) / shared))
    error = 1.96 * float(np.hypot(happened.std() / np.sqrt(len(happened)), of_fresh))
    above = (happened > aim.alarms_per_day).mean()
    return f"{promised.mean():.3g} | {mean:.3g} [{max(0.0, mean - error):.3g}, {mean + error:.3g}] | {above:.1%}"


def threshold_at(said: Blocks, per_day: float) -> float:
    """The threshold at which real tracks of an hour raise so many false alarms a day and stream."""
    return float(np.quantile(said.max(axis=0), 1 - per_day / 24 / _TRACKS))


def alarms_at(said: Blocks, threshold: float) -> float:
    """The other way round: false alarms a day and stream, at the most."""
    return float((said.max(axis=0) > threshold).mean()) * 24 * _TRACKS


def found_and_when(early: Blocks, late: Blocks, threshold: float) -> str:
    """Five cells: of fakes from the start found, median and p95 of the delay; of a switch found, and the median."""
    begun, switched = _delay(early, threshold, 0), _delay(late, threshold, SWITCH_S)
    return " | ".join([_found(begun), _at(begun, 0.5), _at(begun, 0.95), _found(switched), _at(switched, 0.5)])


def _delay(said: Blocks, threshold: float, from_s: int) -> NDArray[np.float64]:
    """Seconds from the switch to the alert, infinite where none comes; tracks that alerted before it are left out."""
    above = said > threshold
    fair = ~above[:from_s].any(axis=0)
    after = above[from_s:, fair]
    return np.where(after.any(axis=0), after.argmax(axis=0) + 1.0, np.inf)


def _found(delays: NDArray[np.float64]) -> str:
    return f"{np.isfinite(delays).mean():.0%}"


def _at(delays: NDArray[np.float64], share: float) -> str:
    value = np.quantile(delays, share, method="lower")
    return f"{value:.0f}" if np.isfinite(value) else "not in the hour"
