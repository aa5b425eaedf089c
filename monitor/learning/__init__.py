"""Learning: while streams are watched, the numbers are kept that a calibration is made of."""

from monitor.learning.blend import manipulated
from monitor.learning.choice import Choice, SessionKey, choose
from monitor.learning.learner import Learner, LearningStatistics
from monitor.learning.start import new_learner

__all__ = [
    "Choice",
    "Learner",
    "LearningStatistics",
    "SessionKey",
    "choose",
    "manipulated",
    "new_learner",
]
