"""Tracking: which faces are there, which is whom, and when is one worth a crop."""

from monitor.tracking.tracking import Tracking, TrackingStatistics

__all__ = ["Tracking", "TrackingStatistics"]
