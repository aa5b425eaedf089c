"""Which learnt sessions a calibration is made of, and why others are left out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from monitor.decision.fitting import Fakes, RealSession
from monitor.decision.measured import Measured, MeasuredSession

_WATCHED = 0.9
"""A session is one if its stream was watched for this much of it at least."""
_TOO_LONG = 1.02
"""Nobody watches longer than a session lasts, but by a clock that was set back."""

SessionKey = tuple[str, int]
"""Stream and number."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Sessions by stream and number."""

    kept: tuple[MeasuredSession, ...]
    left_out: tuple[tuple[MeasuredSession, str], ...]
    """Each with why."""

    def without(self, reasons: Mapping[SessionKey, str]) -> Choice:
        """The same, but for those that there is a reason against."""
        kept = tuple(session for session in self.kept if (session.stream, session.number) not in reasons)
        refused = [
            (session, reasons[session.stream, session.number])
            for session in self.kept
            if (session.stream, session.number) in reasons
        ]
        left_out = sorted([*self.left_out, *refused], key=lambda each: (each[0].stream, each[0].number))
        return Choice(kept, tuple(left_out))

    def real(self) -> list[RealSession]:
        """What is kept, as `fitting.fit` takes it."""
        return [session.real() for session in self.kept]

    def fakes(self) -> Fakes:
        """Answers to crops of them that were made fake."""
        found = [(number, fakes) for number, session in enumerate(self.kept) for fakes in session.fakes]
        return Fakes(
            np.array([value for _, fakes in found for value in fakes.logit], dtype=np.float64),
            np.array([value for _, fakes in found for value in fakes.quality], dtype=np.float64),
            np.array([number for number, fakes in found for _ in fakes.logit], dtype=np.int64),
        )

    def complete(self, stream: str) -> int:
        """How many sessions of the stream are kept."""
        return sum(session.stream == stream for session in self.kept)


def choose(measured: Measured, streams: Collection[str], now: datetime) -> Choice:
    """Sessions of these streams that are over, and were watched for nine tenths of their time.

    Args:
        measured: what was learnt.
        streams: whose sessions; those of others are not spoken of.
        now: the time of day.
    """
    kept, left_out = [], []
    for _, session in sorted(measured.sessions.items()):
        if session.stream in streams:
            why = _flaw(session, now)
            if why is None:
                kept.append(session)
            else:
                left_out.append((session, why))
    return Choice(tuple(kept), tuple(left_out))


def _flaw(session: MeasuredSession, now: datetime) -> str | None:
    share = session.watched_s / session.session_s
    if now < session.ends:
        return "not over yet"
    if session.lost:
        return f"{session.lost:,} scores of it were lost while the disk took nothing"
    if share < _WATCHED:
        return f"watched for {math.floor(share * 100)}% of it"
    if share > _TOO_LONG:
        return f"watched for {share:.0%} of it: the clock was set back"
    return None
