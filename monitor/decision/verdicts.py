"""From evidence to a verdict on one track, with hysteresis, and the reasons a person can act on."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from monitor.messages import TrackObservation, VerdictState

_RECENT_BLOCKS = 10

_GATE_REASONS = {
    "small": "small face",
    "blurred": "blurred",
    "pose": "turned away",
    "cut_off": "cut off",
    "confidence": "uncertain face",
    "untrusted": "damaged video",
    "alignment": "uncertain face",
    "failed": "crop failed",
}


@dataclass(frozen=True, slots=True)
class VerdictRule:
    """Levels of the evidence, the last four as parts of the first two, at which a verdict is taken and left again."""

    threshold: float
    """Evidence for a fake that raises an alert."""
    clear_at: float
    """Evidence for a real face from which it is clear."""
    min_blocks: int
    suspect: float = 0.5
    leave_fake: float = 0.25
    leave_clear: float = 0.5
    clear_lasts_s: float = 10.0
    """Seconds without a scored crop after which nothing is clear any more."""


def next_state(
    state: VerdictState, fake: float, real: float, blocks: int, rule: VerdictRule, *, unseen_s: float = 0.0
) -> VerdictState:
    """The verdict that follows `state`.

    `clear` lapses when no crop has been scored for a while: what is not looked at is not cleared. `fake` and `suspect`
    do not lapse, or turning the head away would be a way out.

    Args:
        state: the verdict held so far.
        fake: upper side of the evidence.
        real: lower side of the evidence.
        blocks: blocks with at least one crop; below the quorum nothing but `inconclusive` is said.
        rule: the levels.
        unseen_s: seconds since the last crop that was scored.
    """
    level, ground = fake / rule.threshold, real / rule.clear_at
    if blocks < rule.min_blocks:
        return "inconclusive"
    if level >= 1 or (state == "fake" and level > rule.leave_fake):
        return "fake"
    if level >= rule.suspect or (state == "suspect" and level > rule.leave_fake):
        return "suspect"
    if unseen_s <= rule.clear_lasts_s and (ground >= 1 or (state == "clear" and ground > rule.leave_clear)):
        return "clear"
    return "inconclusive"


class Abstentions:
    """Why a track gave few crops of late: what its last ten observed seconds say."""

    def __init__(self) -> None:
        self._recent: deque[TrackObservation] = deque(maxlen=_RECENT_BLOCKS)

    def add(self, observation: TrackObservation) -> None:
        """Takes in what the track did in one more block."""
        self._recent.append(observation)

    @property
    def starved(self) -> bool:
        """Whether half of its crops or more waited too long to be scored."""
        starved = sum(observation.starved for observation in self._recent)
        return starved > 0 and starved * 2 >= sum(observation.sampled for observation in self._recent)

    def reasons(self) -> tuple[str, ...]:
        """The causes that kept more faces from scoring than were sampled, most frequent first."""
        gated: Counter[str] = Counter()
        for observation in self._recent:
            gated.update(observation.gated)
        sampled = sum(observation.sampled for observation in self._recent)
        found = [_GATE_REASONS.get(cause, cause) for cause, count in gated.most_common() if count > sampled]
        if self.starved:
            found.append("starved")
        return tuple(dict.fromkeys(found))
