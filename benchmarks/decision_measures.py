"""What the tables of `decision.py` and `decision_clips.py` measure alike: evidence, promises that are kept, delays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_world import EWMAS, PRACTICES, Blocks, Practice, ewma
from monitor.decision.calibration import LEAST_NATS
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.promise import Aim, promise, realised
from monitor.decision.scores import Scorer, weights_of

CALL_S = 3600
SWITCH_S = 1200
_QUORUM = 8
_TRACKS = 2
"""Of a session, on average."""
Sessions = list[NDArray[np.float64]]
"""The highest evidence of each track of each session."""

OTHERS: dict[str, Practice] = PRACTICES | {f"EWMA {each:g}": ewma(each) for each in EWMAS}


DELAY_HEADS = """\
| false alarms a day | practice | found | median | p95 | of a switch at minute 20: found | median | p95 |
|---|---|---|---|---|---|---|---|"""
"""Of a table of `found_and_when`."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Ours, as it is after a calibration."""

    scorer: Scorer
    rule: LikelihoodRatio

    def evidence(self, logits: Blocks, quality: Blocks | None = None) -> Blocks:
        """What it says after each second, of one crop in each; nothing before the quorum.

        Args:
            logits: raw, NaN where there is no crop, (seconds, tracks).
            quality: of the crops, likewise; where it is left out, all are perfect.
        """
        weights = None if quality is None else weights_of(quality)
        quality = np.broadcast_to(1.0, logits.shape) if quality is None else quality
        scores = self.scorer.scores(logits.ravel(), quality.ravel()).reshape(logits.shape)
        said, _ = self.rule.upper(scores, weights=weights)
        return np.where(np.cumsum(~np.isnan(logits), axis=0) >= _QUORUM, said, 0.0)


def outcome(learnt: Sessions, fresh: Sessions, aim: Aim) -> tuple[float, float]:
    """False alarms a day: what a calibration on some sessions promises, and what happens in others."""
    made = promise(learnt, aim, least=LEAST_NATS)
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
    """Six cells: of fakes from the start found, median and p95 of the delay; of a switch the same."""
    begun, switched = _delay(early, threshold, 0), _delay(late, threshold, SWITCH_S)
    return " | ".join(cell for each in (begun, switched) for cell in (_found(each), _at(each, 0.5), _at(each, 0.95)))


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
