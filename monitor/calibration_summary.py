"""What a calibration is good for, in words: what can be promised, and how much footage is missing."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from monitor.decision import Calibration, Promise
from monitor.decision.fitting import Fitted
from monitor.decision.reference import FEWEST_SESSIONS
from monitor.decision_config import DecisionConfig

_HOUR_S = 3600.0
_WHOLE = 0.98
"""Footage of which this much was used was used whole."""
RATES = (0.1, 1.0, 10.0)
"""False alarms a day and stream that are told of besides what is asked for."""


def tell(calibration: Calibration, fitted: Fitted, asked: DecisionConfig, given_hours: float, console: Console) -> None:
    """Says what was measured, what can be promised at some rates, and what follows for the rate asked for.

    Args:
        calibration: what was made.
        fitted: what it was made of.
        asked: rate, confidence and quorum.
        given_hours: hours of all footage, used or not.
        console: where it is told.
    """
    sessions = calibration.sessions
    tracks, blocks = sum(len(each.peaks) for each in sessions), sum(each.blocks for each in sessions)
    lines = [
        (
            f"{count(len(sessions), 'session')} of {duration(calibration.session_hours)}, {count(tracks, 'track')}, "
            f"{blocks:,} s with a scored face; correlation time {calibration.correlation_blocks:.1f} s"
        )
    ]
    used_hours = len(sessions) * calibration.session_hours
    if used_hours < _WHOLE * given_hours:
        lines.append(f"{duration(used_hours)} of {duration(given_hours)} used: sessions are cut at their length")
    if calibration.session_hours * _HOUR_S <= asked.min_blocks:
        lines.append(f"sessions are too short to be judged in: decision.min_blocks is {asked.min_blocks} s")
    if calibration.reference(asked.min_blocks) is None:
        needed = f"{FEWEST_SESSIONS} with a face scored for {asked.min_blocks} s"
        lines.append(f"not enough sessions to tell drift: {needed} needed")
    if fitted.uncurved is not None:
        lines.append(f"{fitted.uncurved}: log-odds are taken as they are")
    elif calibration.calibration_error is not None:
        lines.append(f"scores: calibration error {calibration.calibration_error:.3f} on sessions left out")
    for line in lines:
        console.out(line, highlight=False)
    table = Table("false alarms a day and stream", "promised", "threshold", "real footage missing")
    mine = calibration.promise(asked)
    for per_day in sorted({*RATES, asked.false_alarms_per_stream_day}):
        promise = calibration.promise(asked.model_copy(update={"false_alarms_per_stream_day": per_day}))
        row = (rate(promise.promised_per_day), f"{promise.threshold:.2f}") if promise.kept else ("no", "")
        missing = "" if promise.kept else duration(promise.missing_hours)
        table.add_row(f"{per_day:g}", *row, missing)
    console.print(table)
    console.out(verdict(mine, asked), highlight=False)


def verdict(promise: Promise, asked: DecisionConfig) -> str:
    """Whether what is asked for is promised, in one sentence; else what is, and how much footage is missing."""
    how = "on average over calibrations" if asked.confidence is None else f"in {asked.confidence:.0%} of calibrations"
    can = f"at most {rate(promise.promised_per_day)} false alarms a day and stream, {how}"
    if promise.kept:
        return f"calibrated: true; {can}, on streams that are like this footage"
    return (
        f"calibrated: false; {asked.false_alarms_per_stream_day:g} a day cannot be promised, only {can}; "
        f"{duration(promise.missing_hours)} more of real footage needed"
    )


def rate(per_day: float) -> str:
    """False alarms a day, to two digits, rounded up: a promise may not sound better than it is."""
    step = 10.0 ** (math.floor(math.log10(per_day)) - 1)
    return f"{math.ceil(per_day / step - 1e-9) * step:,.{max(0, -math.floor(math.log10(step)))}f}"


def count(number: int, what: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{number} {what}" if number == 1 else f"{number:,} {what}s"


def duration(hours: float) -> str:
    """Hours in the unit that suits them."""
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours * 60 >= 1 else f"{hours * _HOUR_S:.0f} s"
