"""What deciding has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecisionStatistics:
    """Counts since the start."""

    tracks: int
    open_episodes: int
    logits: int
    late_logits: int
    orphan_logits: int
    alerts_raised: int
    drifted: Mapping[str, bool]
    """Whether scores no longer fit, of the streams that are compared with a calibration."""
    drifts: int
    """Drifts that were noticed."""
    starved: Mapping[str, int]
    """Tracks whose crops wait too long to be scored, now, of the streams that have some."""
