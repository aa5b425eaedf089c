"""When a target may be told something: quiet hours, cool-down, digest.

All of it follows from what the outbox holds, so a restart changes nothing: how long an alert has waited is known by
its time, and when a stream was told of last by the row that was ticked off. The time of day is looked at once for
each; after that the monotonic clock counts, so that a clock that is set back holds nothing up for ever. Quiet hours
alone follow the time of day, as people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.clock import Clock
from monitor.delivery import Row
from monitor.notify_config import TargetConfig


class Timing:
    """What was sent when, and what may be sent now.

    Args:
        target: its settings.
        clock: seconds, and the time of day.
    """

    def __init__(self, target: TargetConfig, clock: Clock) -> None:
        self._clock = clock
        self._quiet_hours = target.quiet_hours
        self._cool_down_s = target.cool_down_s
        self._digest_s = target.digest_s
        self._zone = (
            ZoneInfo(target.quiet_hours.timezone) if target.quiet_hours and target.quiet_hours.timezone else None
        )
        self._told_s: dict[str, float] = {}
        self._head: tuple[int, float] | None = None

    @property
    def remembers_since(self) -> datetime | None:
        """From when on deliveries of former runs matter; None where they do not."""
        return self._now() - timedelta(seconds=self._cool_down_s) if self._cool_down_s else None

    def remember(self, delivered: Mapping[str, datetime]) -> None:
        """Takes in what former runs have delivered, by stream."""
        for stream, at in delivered.items():
            self._told_s[stream] = self._clock.now_s() - self._age_s(at, self._cool_down_s)

    def told(self, streams: Iterable[str]) -> None:
        """The target has been told of these streams now."""
        self._told_s.update(dict.fromkeys(streams, self._clock.now_s()))

    def quiet(self) -> bool:
        """Whether nothing may be sent now."""
        if self._quiet_hours is None:
            return False
        return self._quiet_hours.covers(self._now().astimezone(self._zone).time().replace(tzinfo=None))

    def cooling(self) -> dict[str, float]:
        """Streams of which nothing may be sent yet, and for how many seconds."""
        now_s = self._clock.now_s()
        left = {stream: told_s + self._cool_down_s - now_s for stream, told_s in self._told_s.items()}
        self._told_s = {stream: self._told_s[stream] for stream, left_s in left.items() if left_s > 0}
        return {stream: left_s for stream, left_s in left.items() if left_s > 0}

    def gathering_s(self, oldest: Row) -> float:
        """For how many seconds more alerts are gathered, given the one that has waited longest; 0: no more."""
        if self._head is None or self._head[0] != oldest.position:
            since_s = self._clock.now_s() - self._age_s(oldest.alert.at, self._digest_s)
            self._head = (oldest.position, since_s)
        return max(0.0, self._head[1] + self._digest_s - self._clock.now_s())

    def _age_s(self, at: datetime, most_s: float) -> float:
        return min(max(0.0, (self._now() - at).total_seconds()), most_s)

    def _now(self) -> datetime:
        return self._clock.wall(self._clock.now_s())
