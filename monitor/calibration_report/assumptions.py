"""What a promise stands on, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.calibration_summary import count, duration
from monitor.decision import Calibration
from monitor.decision.fitting import Fitted
from monitor.decision_config import DecisionConfig

_HOUR_S = 3600.0
_WELL_CALIBRATED = 0.1


def assumptions(calibration: Calibration, asked: DecisionConfig, fitted: Fitted | None) -> Iterator[str]:
    """Sentences, the weightiest first."""
    yield (
        "What comes is like this footage: the same camera, light, kind of call and people, as if all sessions had been "
        "shuffled. Of another camera or another season nothing is promised."
    )
    yield (
        "Every face in it is real. A fake among them raises the threshold, and others are then missed; footage that is "
        "repeated promises too much."
    )
    if asked.confidence is None:
        yield (
            "It is an average over calibrations, and this one may have had luck: confidence: 0.95 asks for a threshold "
            "that is right in 95 of 100."
        )
    else:
        yield f"It is right in {asked.confidence:.0%} of calibrations; this one may be one of the others."
    most = asked.max_alerts_per_session
    yield (
        f"It counts in sessions of {duration(calibration.session_hours)}: evidence begins anew when one ends, and one "
        f"raises at most {count(most, 'alert')}, each face at most one."
    )
    yield (
        "Faces are sampled as they were here. Where crops are dropped or wait too long (verdicts with the reason "
        "starved) they are not."
    )
    yield (
        "Curves, correlation time and how people differ are learnt from the same sessions as the threshold, which the "
        "theorem does not cover."
    )
    found = "It says nothing of how many fakes are found."
    if fitted is None or fitted.uncurved is None:
        found += (
            " Scores are learnt from these faces blended with themselves: if other fakes look otherwise, fewer are "
            "found, but false alarms do not change."
        )
    yield found
    if calibration.session_hours * _HOUR_S <= asked.min_blocks:
        yield f"Sessions are too short to be judged in: decision.min_blocks is {asked.min_blocks} s."
    if fitted is not None and (fitted.calibration_error or 0.0) > _WELL_CALIBRATED:
        yield (
            "The calibration error is large: scores are no odds here. The promise holds all the same; fakes are missed."
        )
