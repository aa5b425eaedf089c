"""The pipeline's clock, and the only place that knows the time of day."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time on which every `at_s` lies."""

    def now_s(self) -> float:
        """Seconds; comparable with `at_s` of frames."""

    def wall(self, at_s: float) -> datetime:
        """The time of day, UTC, of a moment on this clock."""


def epoch_s(clock: Clock) -> float:
    """When the UTC epoch began, on that clock, by the time of day as it stands now."""
    now_s = clock.now_s()
    return now_s - clock.wall(now_s).timestamp()


class LiveClock:
    """`time.monotonic`; the time of day is looked up when asked, so that a corrected system clock is followed."""

    def now_s(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        return time.monotonic()

    def wall(self, at_s: float) -> datetime:
        """The time of day of `at_s`, by the system's clock as it stands now."""
        return datetime.fromtimestamp(time.time() - (time.monotonic() - at_s), tz=UTC)


class RecordingClock:
    """The time of a recording: it stands where the last frame read stood."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now_s = 0.0

    def advance(self, at_s: float) -> None:
        """Moves to the presentation time of the frame just read."""
        self._now_s = at_s

    def now_s(self) -> float:
        """Presentation time reached, seconds."""
        return self._now_s

    def wall(self, at_s: float) -> datetime:
        """Start of the recording plus `at_s`."""
        return self._start + timedelta(seconds=at_s)
