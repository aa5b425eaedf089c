"""What is told of one stream's tracking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TrackingStatistics:
    """A snapshot of one stream's faces, and counts since the start."""

    faces: int = 0
    """Tracks seen in the last analysis."""
    tracks: int = 0
    """Tracks alive, lost ones included."""
    analysed: int = 0
    """Frames looked at."""
    searched: int = 0
    """Searches for faces, of frames and, for a closer look, of parts of them."""
    carried: int = 0
    """Frames in which known faces were carried on by optical flow."""
    identities: int = 0
    """Tracks begun."""
    ignored: int = 0
    """Faces found inside an ignored polygon."""
    sampled: int = 0
    """Crops handed over."""
    gated: Mapping[str, int] = field(default_factory=dict)
    """Crops that were due and could not be had, by cause."""
    detect_s: float = 0.0
    """CPU seconds spent in the detector."""
    degraded: str | None = None
    """What is lost by the detector in use."""
    quiet_s: float = 0.0
    """Seconds for which nobody was there and nothing has moved."""
    demanded_per_s: float = 0.0
    """Crops per second that are asked for of one track, at the most; 0 where nothing is asked for."""
    crop_due: bool = False
    """Whether a crop of somebody will be due by the next analysis, or somebody may just have come."""
    failure: str | None = None
    """Why cropping began to fail, in one line without credentials; None again once crops are cut and none fails."""
