"""Decision: calibrate, accumulate, decide. From logits and observations to verdicts, alerts and demand."""

from monitor.decision.calibration import Calibration, Encoder, read_calibration, sampling_policy
from monitor.decision.decision import Decision, DecisionOutput
from monitor.decision.figures import DecisionStatistics
from monitor.decision.promise import Promise
from monitor.decision.statistic import Statistic, calibrated, uncalibrated
from monitor.decision.track import probability

__all__ = [
    "Calibration",
    "Decision",
    "DecisionOutput",
    "DecisionStatistics",
    "Encoder",
    "Promise",
    "Statistic",
    "calibrated",
    "probability",
    "read_calibration",
    "sampling_policy",
    "uncalibrated",
]
