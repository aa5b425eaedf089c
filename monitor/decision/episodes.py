"""Alert episodes: one begins when a track's verdict becomes `fake` and ends when it no longer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.messages import AlertType, VerdictState

_UPDATE_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """What happened to an episode."""

    alert_id: str
    type: AlertType
    reason: str


class Episodes:
    """The episode of one track, if one is open, and when the next may begin."""

    def __init__(self, refractory_s: float, new_id: Callable[[], str]) -> None:
        self._refractory_s = refractory_s
        self._new_id = new_id
        self._alert_id: str | None = None
        self._told_s = 0.0
        self._told_evidence = 0.0
        self._quiet_until_s: float | None = None

    @property
    def open(self) -> bool:
        """Whether an alert stands."""
        return self._alert_id is not None

    def follow(
        self, state: VerdictState, evidence: float, at_s: float, *, may_raise: bool = True
    ) -> EpisodeChange | None:
        """Opens, updates or closes the episode as the verdict asks; opens none unless it may.

        An open episode is told again when its evidence has changed, twice a minute at the most.
        """
        if self._alert_id is None:
            refractory = self._quiet_until_s is not None and at_s < self._quiet_until_s
            if state != "fake" or refractory or not may_raise:
                return None
            self._alert_id = self._new_id()
            return self._told("raised", "evidence reached the threshold", evidence, at_s)
        if state != "fake":
            return self.close("evidence fell", at_s)
        if at_s - self._told_s >= _UPDATE_EVERY_S and evidence != self._told_evidence:
            reason = "evidence grew" if evidence > self._told_evidence else "evidence shrank"
            return self._told("updated", reason, evidence, at_s)
        return None

    def close(self, reason: str, at_s: float) -> EpisodeChange | None:
        """Ends the episode, if one is open."""
        if self._alert_id is None:
            return None
        change = EpisodeChange(self._alert_id, "cleared", reason)
        self._alert_id = None
        self._quiet_until_s = at_s + self._refractory_s
        return change

    def _told(self, kind: AlertType, reason: str, evidence: float, at_s: float) -> EpisodeChange:
        assert self._alert_id is not None
        self._told_s, self._told_evidence = at_s, evidence
        return EpisodeChange(self._alert_id, kind, reason)
