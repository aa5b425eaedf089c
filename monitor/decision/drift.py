"""Whether the scores of a stream still fit the calibration: noticed, told, and taken back again, without any label.

What a promise takes for granted is that sessions are like those of the calibration. After each session the last ones
are held against it (`reference.py`). When a change began is not known, so the evidence is the average over all
beginnings within the window and over the three numbers, a Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2022):
with a window of K sessions and a level of 1/alpha at least K/alpha sessions pass on average before a false signal, as
far as each session can be taken for a fresh one. They all share one calibration, so that is a measure and no theorem;
`benchmarks/decision_drift.py` says what happens. Each beginning is judged without the session that speaks most for a
change, and a track counts in one session: neither one fake call nor one face that stays for days is a drift.

Drift ends where sessions speak for the calibration against the change that was noticed, as much as 1/alpha (a CUSUM of
that likelihood ratio, Page 1954), and do not speak for another change.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from monitor.decision.reference import LOCATION, PEOPLE, Numbers, Reference, SessionScores, numbers_of
from monitor.decision.track_scores import TrackPart, TrackScores
from monitor.messages import Event

_UNFIT = "scores no longer fit the calibration"
_WINDOW = 32
"""Sessions that are held against the calibration at once."""
_FEWEST = 3
"""Sessions that a drift begins or ends with."""
_ALPHA = 0.01
_SHRUNK = 0.7
"""Of the size of a drift when it is noticed: it is noticed when it looks larger than it is."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A drift that stands."""

    text: str
    """What differs, by how much, and on how much footage that is based."""
    number: int
    """Which of the three numbers says so most."""
    size: float
    """How much higher it is taken to be, over the scatter of sessions."""


@dataclass(frozen=True, slots=True)
class DriftChange:
    """A drift has begun or ended."""

    begun: bool
    text: str


class Drift:
    """The last sessions of one stream, and whether they fit.

    Args:
        reference: the calibration.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._tracks = 0
        self._sum = np.zeros(3)
        self._window: deque[SessionScores] = deque(maxlen=_WINDOW)
        self._noticed: Noticed | None = None
        self._fits = 0.0
        """Likelihood of the calibration over that of the drift, since it was at its lowest; nats."""

    @property
    def standing(self) -> str | None:
        """What no longer fits; None while all does."""
        return None if self._noticed is None else f"{_UNFIT}: {self._noticed.text}"

    def add(self, track: TrackScores) -> None:
        """Takes one track of the session in progress in."""
        self._tracks += 1
        self._sum += numbers_of(track, middle=self._reference.middle)

    def turn(self) -> DriftChange | None:
        """The session in progress is over; one without a track says nothing."""
        if not self._tracks:
            return None
        session = self._reference.session(self._tracks, self._sum)
        self._tracks, self._sum = 0, np.zeros(3)
        return self._watch(session) if self._noticed is None else self._doubt(session, self._noticed)

    def _watch(self, session: SessionScores) -> DriftChange | None:
        """Whether a drift has begun."""
        self._window.append(session)
        if len(self._window) < _FEWEST:
            return None
        evidence = self._evidence()
        if np.logaddexp.reduce(evidence, axis=None) < math.log(3 * _WINDOW / _ALPHA):
            return None
        began, number = np.unravel_index(int(evidence.argmax()), evidence.shape)
        changed = list(self._window)[int(began) :]
        higher = self._reference.difference(changed)
        size = _SHRUNK * float(higher[number] / self._reference.scatter[number])
        self._noticed = Noticed(self._said(int(number), higher, changed), int(number), size)
        self._fits = 0.0
        self._window.clear()
        return DriftChange(begun=True, text=f"{_UNFIT}: {self._noticed.text}")

    def _doubt(self, session: SessionScores, noticed: Noticed) -> DriftChange | None:
        """Whether the drift has ended."""
        number, size = noticed.number, noticed.size
        away = float(session.away[number] / self._reference.scatter[number])
        self._fits += float(session.weight[number]) * size * (size / 2 - away)
        self._window.append(session)
        if self._fits <= 0:
            self._fits = 0.0
            self._window.clear()
        if self._fits < -math.log(_ALPHA) or len(self._window) < _FEWEST:
            return None
        evidence = self._evidence()
        if np.logaddexp.reduce(evidence, axis=None) > math.log(evidence.size):
            return None
        tracks, sessions = sum(each.tracks for each in self._window), len(self._window)
        self._noticed = None
        self._window.clear()
        return DriftChange(begun=False, text=f"scores fit the calibration again ({_based_on(tracks, sessions)})")

    def _evidence(self) -> Numbers:
        """For a change since each session of the window but the last, in each of the numbers, (beginnings, 3)."""
        return self._reference.evidence(self._window)[: 1 - _FEWEST]

    def _said(self, number: int, higher: Numbers, sessions: list[SessionScores]) -> str:
        based = _based_on(sum(session.tracks for session in sessions), len(sessions))
        was, more = float(self._reference.centre[number]), float(higher[number])
        if number == LOCATION:
            return f"{abs(more):.2g} nats {'higher' if more > 0 else 'lower'} ({based})"
        # Distances from the middle are averaged as their roots.
        before, now = (was**2, max(0.0, was + more) ** 2) if number == PEOPLE else (was, was + more)
        apart = "farther apart" if more > 0 else "closer together"
        whose = "faces" if number == PEOPLE else "seconds of one face"
        return f"{whose} {apart}, {now:.2g} instead of {before:.2g} nats ({based})"


def _based_on(tracks: int, sessions: int) -> str:
    return f"{tracks} tracks in {sessions} sessions"


class StreamDrift:
    """The drift of one stream.

    Args:
        reference: its calibration; None where there is none, or where it has too few sessions to tell.
        least_blocks: tracks that were scored in fewer say nothing.
    """

    def __init__(self, reference: Reference | None, least_blocks: int) -> None:
        self._drift = None if reference is None else Drift(reference)
        self._least_blocks = least_blocks
        self.begun = 0
        """Drifts that were noticed."""

    @property
    def compared(self) -> bool:
        """Whether the stream is held against anything."""
        return self._drift is not None

    @property
    def standing(self) -> str | None:
        """What no longer fits, in a sentence; None while all does, or nobody can tell."""
        return None if self._drift is None else self._drift.standing

    def add(self, part: TrackPart) -> None:
        """Takes in what a track came to, where its session or it has ended."""
        track = part.tell(self._least_blocks)
        if track is not None and self._drift is not None:
            self._drift.add(track)

    def turn(self, stream: str, at_s: float) -> list[Event]:
        """A session is over: what follows."""
        change = None if self._drift is None else self._drift.turn()
        if change is None:
            return []
        self.begun += change.begun
        return [Event(stream, "drift", at_s, None, change.text)]
