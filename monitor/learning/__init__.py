"""Learning: while streams are watched, the numbers are kept that a calibration is made of."""

from monitor.learning.blend import manipulated
from monitor.learning.learner import Learner, LearningStatistics
from monitor.learning.start import learning_hours, new_learner

__all__ = ["Learner", "LearningStatistics", "learning_hours", "manipulated", "new_learner"]
