"""What each stream is promised by its calibration, as people are told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.calibration_summary import verdict
from monitor.calibrations import StreamCalibrations
from monitor.config import MonitorConfig
from monitor.decision import Calibration
from monitor.decision.promise import Aim, sessions_needed
from monitor.kin import Kin
from monitor.learning import LearningStatistics

_DAY_HOURS = 24.0
"""Length of a session where nobody has said another."""


@dataclass(frozen=True, slots=True)
class Made:
    """The calibration itself.

    Attributes:
        sha256: of what is in its file.
        made: when.
        software: by what.
        sessions: of real people that it was made of.
        session_hours: length of each.
    """

    sha256: str
    made: datetime
    software: str
    sessions: int
    session_hours: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether the stream's scores still fit.

    Attributes:
        compared: whether anybody can tell.
        text: what no longer fits; None while all does.
    """

    compared: bool
    text: str | None


@dataclass(frozen=True, slots=True)
class StreamPromise:
    """What is promised of one stream.

    Attributes:
        stream: its name.
        target_per_day: false alarms a day that are asked for.
        promised_per_day: false alarms a day that are not exceeded; None where nobody has measured them.
        calibrated: whether that is no more than what is asked for.
        threshold: evidence that raises an alert.
        missing_hours: of real footage until it could be promised; None without a calibration.
        summary: all this in one sentence.
        calibration: None where there is none.
        drift: whether it still fits.
    """

    stream: str
    target_per_day: float
    promised_per_day: float | None
    calibrated: bool
    threshold: float
    missing_hours: float | None
    summary: str
    calibration: Made | None
    drift: Drift


@dataclass(frozen=True, slots=True)
class Curve:
    """What could be promised of one stream at which threshold, (n,) each, thresholds rising.

    Attributes:
        thresholds: evidence that would raise an alert.
        promised_per_day: false alarms a day that would not be exceeded.
        seen_per_day: those that the calibration's own sessions would have had.
    """

    thresholds: list[float]
    promised_per_day: list[float]
    seen_per_day: list[float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for of every stream, and what it takes.

    Attributes:
        target_per_day: false alarms a day and stream.
        confidence: share of calibrations in which the promise is to hold; None: on average.
        session_hours: length of a session of a calibration that is made anew.
        hours_needed: of real footage, at the least, until that can be promised.
    """

    target_per_day: float
    confidence: float | None
    session_hours: float
    hours_needed: float


class Watching(Protocol):
    """What is needed of the pipeline."""

    @property
    def kin(self) -> Kin:
        """Which streams are calls, and of which others: these are promised what those are."""

    def drift(self, stream: str) -> str | None:
        """What no longer fits the stream's calibration; None while all does."""

    def drifted(self) -> Mapping[str, bool]:
        """Whether scores no longer fit, of the streams that are compared with a calibration."""

    def learning(self) -> LearningStatistics | None:
        """What was learnt since the start; None where nothing is learnt."""


class Promises:
    """Computes them, away from the event loop.

    Args:
        config: as it is now.
        calibrations: of its streams.
        watching: tells drift.
    """

    def __init__(
        self, config: Callable[[], MonitorConfig], calibrations: Callable[[], StreamCalibrations], watching: Watching
    ) -> None:
        self._config = config
        self._calibrations = calibrations
        self._watching = watching

    async def of(self, *streams: str) -> list[StreamPromise]:
        """Those of streams that are watched, in that order."""
        calibrations = self._calibrations()
        compared = self._watching.drifted()
        drifts = [Drift(stream in compared, self._watching.drift(stream)) for stream in streams]
        made = [calibrations.of(self._watching.kin.of(stream)) for stream in streams]
        found = list(zip(streams, made, drifts, strict=True))
        return await asyncio.to_thread(lambda: [self._promise(*each) for each in found])

    async def curve(self, stream: str) -> Curve | None:
        """That of a configured stream; None without a calibration."""
        calibration, asked = self._calibrations().of(stream), self._config().decision
        if calibration is None:
            return None
        curve = await asyncio.to_thread(calibration.promise_curve, asked)
        return Curve(curve.thresholds.tolist(), curve.promised_per_day.tolist(), curve.seen_per_day.tolist())

    def asked(self) -> Asked:
        """Of every stream."""
        asked = self._config().decision
        hours = asked.session_hours or _DAY_HOURS
        aim = Aim(asked.false_alarms_per_stream_day, hours, asked.max_alerts_per_session, asked.confidence)
        return Asked(asked.false_alarms_per_stream_day, asked.confidence, hours, sessions_needed(aim) * hours)

    def learning(self) -> LearningStatistics | None:
        """What was learnt since the start; None where nothing is learnt."""
        return self._watching.learning()

    def _promise(self, stream: str, calibration: Calibration | None, drift: Drift) -> StreamPromise:
        asked = self._config().decision
        target = asked.false_alarms_per_stream_day
        if calibration is None:
            summary = "calibrated: false; nobody has measured the false alarms of this stream"
            return StreamPromise(stream, target, None, False, asked.threshold, None, summary, None, drift)
        promise = calibration.promise(asked)
        made = Made(
            calibration.sha256,
            calibration.made,
            calibration.software,
            len(calibration.sessions),
            calibration.session_hours,
        )
        return StreamPromise(
            stream,
            target,
            promise.promised_per_day,
            promise.kept,
            promise.threshold,
            promise.missing_hours,
            verdict(promise, asked),
            made,
            drift,
        )
