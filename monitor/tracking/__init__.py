"""Tracking: which faces are there, which is whom, and when is one worth a crop."""

from monitor.tracking.statistics import TrackingStatistics
from monitor.tracking.tracking import Tracking

__all__ = ["Tracking", "TrackingStatistics"]
