"""What is held of one track while it lives, and what is told when it cannot be scored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from monitor.decision.episodes import Episodes
from monitor.decision.evidence import TrackEvidence
from monitor.decision.track_scores import TrackPart
from monitor.decision.verdicts import Abstentions
from monitor.messages import Event, Logit, TrackObservation, VerdictState

# A face that is there this long without one crop fit to score is told of, once.
_ABSTAIN_S = 30.0


@dataclass(slots=True)
class TrackState:
    """What is held of one track while it lives."""

    evidence: TrackEvidence
    episodes: Episodes
    first_seen_s: float
    last_logit_s: float
    now_s: float
    """The latest moment that anything was heard of it."""
    abstentions: Abstentions = field(default_factory=Abstentions)
    part: TrackPart = field(default_factory=TrackPart)
    state: VerdictState = "inconclusive"
    samples: int = 0
    probability_sum: float = 0.0
    abstaining: bool = False
    starving: bool = False
    frozen: tuple[str, ...] = ()

    @property
    def mean_probability(self) -> float | None:
        """Of all crops that were scored."""
        return self.probability_sum / self.samples if self.samples else None

    def scored(self, logit: Logit) -> None:
        """Counts a crop that evidence has taken in."""
        self.samples += 1
        self.probability_sum += probability(logit.logit)
        self.last_logit_s = logit.at_s
        self.abstaining = False


def shortages(observation: TrackObservation, track: TrackState) -> list[Event]:
    """What begins with this block: an abstention that lasts, or a shortage of encoder time."""
    stream, name, at_s = observation.stream, observation.track, observation.at_s
    reasons = track.abstentions.reasons()
    began: list[Event] = []
    if at_s - track.last_logit_s >= _ABSTAIN_S and not track.abstaining:
        track.abstaining = True
        why = f" ({', '.join(reasons)})" if reasons else ""
        text = f"track {name} is there and could not be scored for {_ABSTAIN_S:.0f} s{why}"
        began.append(Event(stream, "abstention", at_s, name, text))
    starving = "starved" in reasons
    if starving and not track.starving:
        text = f"track {name} waits for the encoder: its crops grow too old to be scored"
        began.append(Event(stream, "starvation", at_s, name, text))
    track.starving = starving
    return began


def probability(logit: float) -> float:
    """The encoder's p(fake); clipped where the exponential would overflow."""
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))
