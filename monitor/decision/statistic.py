"""What a decision stands on: how logits become evidence, which evidence raises an alert, and what that promises."""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.decision.calibration import Calibration
from monitor.decision.cusum import Cusum
from monitor.decision.evidence import EvidenceRule
from monitor.decision.promise import Promise
from monitor.decision.reference import Reference
from monitor.decision.scores import Scorer, weight_of
from monitor.decision_config import DecisionConfig
from monitor.messages import Logit

_CAP = 1.5
"""Of the threshold: where evidence saturates, so that a face that has become real is soon seen to be."""
_CLEAR_NATS = 1.5
"""Of calibrated evidence: of faces that score higher by `Population.shift` no more than exp(-1.5), 22 %, are this far
below at one moment, and far fewer where scores are normal. Fakes that are higher by less are clear more often."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Statistic:
    """With a calibration or without."""

    rule: EvidenceRule
    threshold: float
    clear_at: float
    """Evidence for a real face from which it is called that; infinite where nothing tells real from fake."""
    scorer: Scorer | None = None
    """None takes log-odds as they come."""
    session_s: float | None = None
    """After which evidence begins anew; None is never."""
    most_alerts: int | None = None
    """Alerts that a session may raise; None is any number."""
    promise: Promise | None = None
    reference: Reference | None = None
    """What sessions are compared with; None where there is nothing, or too little, to tell drift by."""

    @property
    def calibrated(self) -> bool:
        """Whether the false alarms asked for are promised."""
        return self.promise is not None and self.promise.kept

    @property
    def promised_per_day(self) -> float | None:
        """False alarms a day and stream that are not exceeded; None where nothing is promised."""
        return None if self.promise is None else self.promise.promised_per_day

    def score(self, logit: Logit) -> tuple[float, float]:
        """The score of one crop, and how much it counts in its block."""
        if self.scorer is None:
            return logit.logit, 1.0
        return self.scorer.score(logit.logit, logit.quality), weight_of(logit.quality)


def uncalibrated(config: DecisionConfig) -> Statistic:
    """The encoder's log-odds against a threshold that nobody has measured."""
    return Statistic(Cusum(cap=_CAP * config.threshold), config.threshold, clear_at=config.threshold)


def calibrated(calibration: Calibration, config: DecisionConfig) -> Statistic:
    """What a calibration says of the false alarms that are asked for."""
    promise = calibration.promise(config)
    return Statistic(
        calibration.rule(cap=_CAP * promise.threshold),
        promise.threshold,
        clear_at=_CLEAR_NATS if calibration.curved else math.inf,
        scorer=calibration.scorer,
        session_s=calibration.session_hours * _HOUR_S,
        most_alerts=config.max_alerts_per_session,
        promise=promise,
        reference=calibration.reference(config.min_blocks),
    )


def notices_of(statistic: Statistic, config: DecisionConfig) -> tuple[str, ...]:
    """What must be said of the promise wherever alerts are shown: that it is missed, or what it means for an alert."""
    promise = statistic.promise
    if promise is None:
        return ()
    if not promise.kept:
        missed = (
            f"calibration: at most {promise.promised_per_day:.3g} false alarms a day are promised, not the "
            f"{config.false_alarms_per_stream_day:g} asked for; {math.ceil(promise.missing_hours)} h of real footage "
            "missing"
        )
        return (missed,)
    assert statistic.session_s is not None
    false_alarms = promise.promised_per_day * statistic.session_s / _HOUR_S / 24
    right = right_alarms(config.prior, config.assumed_sensitivity, min(1.0, false_alarms))
    odds = (
        f"odds: about {right:.0%} of such alerts are right, if {config.prior:.2%} of sessions hold a fake, "
        f"{config.assumed_sensitivity:.0%} of those are found, and a real session raises {false_alarms:.2g} false "
        "alarms"
    )
    return (odds,)


def right_alarms(prior: float, sensitivity: float, false_alarm: float) -> float:
    """Share of alarms that are right (positive predictive value).

    Args:
        prior: share of sessions with a fake.
        sensitivity: share of those that raise an alarm.
        false_alarm: share of the others that raise one.
    """
    right, wrong = prior * sensitivity, (1 - prior) * false_alarm
    return right / (right + wrong) if right + wrong > 0 else 0.0
