"""What the reviews of one alert episode come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.messages import Alert, Answer


@dataclass(frozen=True, slots=True)
class Review:
    """One person's word on one episode."""

    alert_id: str
    answer: Answer
    by: str | None
    """Who said so; None where nobody was named."""
    note: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ReviewedEpisode:
    """An episode that somebody has reviewed.

    Attributes:
        raised: the message that began it.
        peak_evidence: the most that any of its messages told.
        reviews: all of them, in the order in which they were given; never empty.
    """

    raised: Alert
    peak_evidence: float
    reviews: tuple[Review, ...]

    @property
    def alert_id(self) -> str:
        """The episode."""
        return self.raised.alert_id

    @property
    def stream(self) -> str:
        """Where it was."""
        return self.raised.stream

    @property
    def track(self) -> str:
        """Whose it was."""
        return self.raised.track

    @property
    def evidence(self) -> float:
        """What there was when it was raised."""
        return self.raised.evidence

    @property
    def threshold(self) -> float:
        """What it had to reach then."""
        return self.raised.threshold

    @property
    def answer(self) -> Answer:
        """What to learn from it: the last word, or `unsure` where people contradict each other."""
        return "unsure" if self.contradiction else self.reviews[-1].answer

    @property
    def contradiction(self) -> str | None:
        """`right by a, wrong by b`; None where nobody contradicts anybody.

        Only the last word of each person counts, so whoever changes their mind contradicts nobody; and who is unsure
        contradicts nobody either. Names that differ in case alone are one person; all who gave none are one, too.
        """
        last = {(review.by or "").casefold(): review for review in self.reviews}
        sides = {
            answer: [review.by or "somebody" for review in last.values() if review.answer == answer]
            for answer in ("right", "wrong")
        }
        if not all(sides.values()):
            return None
        return ", ".join(f"{answer} by {' and '.join(people)}" for answer, people in sides.items())
