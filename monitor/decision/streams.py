"""What the tracks of one stream are decided by: each stream may have a calibration of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from monitor.decision.drift import StreamDrift
from monitor.decision.sessions import Sessions
from monitor.decision.statistic import Statistic, notices_of
from monitor.decision.track import TrackState
from monitor.decision.verdicts import VerdictRule
from monitor.decision_config import DecisionConfig


@dataclass(frozen=True, slots=True)
class StreamRule:
    """Thresholds, sessions and notices of one stream."""

    statistic: Statistic
    verdicts: VerdictRule
    sessions: Sessions
    drift: StreamDrift
    always: tuple[str, ...]
    """Sentences that go with every alert."""
    of_promise: tuple[str, ...]
    """Those about the promise: that it is missed, or what it means."""

    @classmethod
    def of(cls, statistic: Statistic, config: DecisionConfig, notices: tuple[str, ...], *, origin_s: float) -> Self:
        """What follows from a statistic.

        Args:
            statistic: of the stream.
            config: quorum, and what is asked for.
            notices: said besides those about its promise.
            origin_s: as that of `Sessions`.
        """
        return cls(
            statistic,
            VerdictRule(statistic.threshold, statistic.clear_at, config.min_blocks),
            Sessions(statistic.session_s, statistic.most_alerts, origin_s),
            StreamDrift(statistic.reference, config.min_blocks),
            notices,
            notices_of(statistic, config),
        )

    @property
    def calibrated(self) -> bool:
        """Whether the false alarms asked for are promised, of scores as they are now."""
        return self.statistic.calibrated and self.drift.standing is None

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences that go with its alerts now."""
        drift = self.drift.standing
        if drift is None:
            return (*self.always, *self.of_promise)
        # The odds follow from the promise, and say no more than it does.
        return (*self.always, f"drift: {drift}; the promise is not about such scores")

    def notices_of(self, track: TrackState) -> tuple[str, ...]:
        """What must be said of this face besides."""
        if self.statistic.promise is None or not track.abstentions.starved:
            return ()
        return ("starved: crops of this face wait too long to be scored, and the promise is of faces that are not",)
