"""Section `decision` of the configuration: which evidence raises an alert. Part of `config.py`'s model."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from monitor.config_section import Section

LEAST_QUORUM = 2
"""Seconds with a good crop that any verdict but `inconclusive` wants, whatever is configured."""


class DecisionConfig(Section):
    """When evidence becomes an alert."""

    false_alarms_per_stream_day: float = Field(
        default=0.1, gt=0, le=1000, description="False alarms a day and stream that you accept."
    )
    confidence: float | None = Field(
        default=None, gt=0, lt=1, description="Hold the promise in this share of calibrations; null is on average."
    )
    prior: float = Field(
        default=0.0017, gt=0, lt=1, description="Share of sessions with a fake that you expect; tells an alert's odds."
    )
    assumed_sensitivity: float = Field(
        default=0.5, gt=0, le=1, description="Share of fakes that you expect to be found; tells an alert's odds."
    )
    calibration: Path | None = Field(
        default=None,
        description="File made by `gend-monitor calibrate`, for streams without one of their own; null leaves their "
        "false alarms unmeasured.",
    )
    session_hours: float | None = Field(
        default=None, gt=0, le=24, description="Hours of a session; null takes the calibration's."
    )
    learning: Path | None = Field(
        default=None,
        description="File to which scores of what is watched are added, for `gend-monitor calibrate --learnt`; numbers "
        "only. Null learns nothing.",
    )
    learning_max_mb: float = Field(default=200, gt=0, le=1e6, description="Megabytes at which that file grows no more.")
    max_alerts_per_session: int = Field(
        default=1, ge=1, le=1000, description="Alerts that a session raises at the most, with a calibration."
    )
    threshold: float = Field(
        default=16, gt=0, le=1000, description="Evidence that raises an alert while there is no calibration."
    )
    min_blocks: int = Field(
        default=8,
        ge=LEAST_QUORUM,
        le=600,
        description="Seconds with a good crop before anything but `inconclusive` is said.",
    )
    refractory_s: float = Field(
        default=30, ge=0, le=86400, description="Seconds after an alert has cleared before its track may raise one."
    )
