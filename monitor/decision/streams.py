"""What the tracks of one stream are decided by: each stream may have a calibration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from monitor.config import DecisionConfig
from monitor.decision.sessions import Sessions
from monitor.decision.statistic import Statistic, notices_of
from monitor.decision.verdicts import VerdictRule


@dataclass(frozen=True, slots=True)
class StreamRule:
    """Thresholds, sessions and notices of one stream."""

    statistic: Statistic
    verdicts: VerdictRule
    sessions: Sessions
    notices: tuple[str, ...]
    """Sentences that go with each of its alerts."""

    @classmethod
    def of(cls, statistic: Statistic, config: DecisionConfig, notices: tuple[str, ...]) -> Self:
        """What follows from a statistic; `notices` are said besides those about its promise."""
        return cls(
            statistic,
            VerdictRule(statistic.threshold, config.min_blocks),
            Sessions(statistic.session_s, statistic.most_alerts),
            (*notices, *notices_of(statistic, config)),
        )
