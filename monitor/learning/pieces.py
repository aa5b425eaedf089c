"""What has come of each session since it was last written, and what waits while the disk takes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from monitor.decision.measured import Crops, Fakes, Piece, shortest
from monitor.messages import BLOCK_S, Logit

_MOST_WAITING = 100_000
"""Crops; some megabytes."""
_PIECE = 10
"""A piece weighs as much as so many crops more."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """Which session a moment of the pipeline's clock lies in."""

    session_s: float
    epoch_s: float
    """The beginning of the UTC epoch, on that clock."""

    def number(self, at_s: float) -> int:
        """Of the session."""
        return int((at_s - self.epoch_s) // self.session_s)

    def begins_s(self, session: int) -> float:
        """Its first moment."""
        return self.epoch_s + session * self.session_s

    def parts(self, begin_s: float, end_s: float) -> Iterator[tuple[int, float]]:
        """How many seconds of each session lie between two moments."""
        session = self.number(begin_s)
        while begin_s < end_s:
            until_s = min(end_s, self.begins_s(session + 1))
            if until_s > begin_s:
                yield session, until_s - begin_s
            begin_s, session = max(begin_s, until_s), session + 1


@dataclass(slots=True)
class _Track:
    block: list[int] = field(default_factory=list)
    logit: list[float] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Session:
    watched_s: float = 0.0
    tracks: dict[str, _Track] = field(default_factory=dict)
    fake_logit: list[float] = field(default_factory=list)
    fake_quality: list[float] = field(default_factory=list)
    not_finite: int = 0


class Pieces:
    """Collects. Not thread-safe.

    Args:
        times: which session each moment lies in.
        run: whose ids the tracks have.
    """

    def __init__(self, times: SessionTimes, run: str) -> None:
        self._times = times
        self._run = run
        self._sessions: dict[tuple[str, int], _Session] = {}

    def watched(self, stream: str, session: int, seconds: float) -> None:
        """The stream was watched for so long."""
        self._of(stream, session).watched_s += seconds

    def real(self, logit: Logit) -> None:
        """The answer to a crop."""
        number = self._times.number(logit.at_s)
        track = self._of(logit.stream, number).tracks.setdefault(logit.track, _Track())
        # Blocks are those of the pipeline's clock, by which evidence counts them; told from the session's first.
        first = int(self._times.begins_s(number) // BLOCK_S)
        track.block.append(max(0, int(logit.at_s // BLOCK_S) - first))
        track.logit.append(shortest(logit.logit))
        track.quality.append(_share(logit.quality))

    def fake(self, logit: Logit) -> None:
        """The answer to a crop that was made fake."""
        session = self._of(logit.stream, self._times.number(logit.at_s))
        session.fake_logit.append(shortest(logit.logit))
        session.fake_quality.append(_share(logit.quality))

    def not_finite(self, logit: Logit) -> None:
        """An answer that is no number."""
        self._of(logit.stream, self._times.number(logit.at_s)).not_finite += 1

    def take(self) -> list[Piece]:
        """All of it, which is then forgotten here."""
        sessions, self._sessions = self._sessions, {}
        return [self._piece(stream, number, session) for (stream, number), session in sessions.items()]

    def _of(self, stream: str, session: int) -> _Session:
        return self._sessions.setdefault((stream, session), _Session())

    def _piece(self, stream: str, number: int, session: _Session) -> Piece:
        return Piece(
            stream=stream,
            session=number,
            run=self._run,
            watched_s=round(session.watched_s, 3),
            tracks={
                name: Crops(block=tuple(track.block), logit=tuple(track.logit), quality=tuple(track.quality))
                for name, track in session.tracks.items()
            },
            fakes=Fakes(logit=tuple(session.fake_logit), quality=tuple(session.fake_quality)),
            not_finite=session.not_finite,
        )


class Backlog:
    """Pieces that are not written yet, oldest first. Not thread-safe."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def extend(self, pieces: Sequence[Piece]) -> None:
        """Adds newer ones."""
        self.pieces += pieces

    def clear(self) -> int:
        """Forgets all of them; returns how many crops were in them."""
        crops = sum(piece.crops for piece in self.pieces)
        self.pieces = []
        return crops

    def shed(self) -> int:
        """Gives up the numbers of the oldest where too many wait; returns how many crops that are.

        That they are missing is kept: their session is not whole.
        """
        waiting = sum(piece.crops + _PIECE for piece in self.pieces)
        gone: Counter[tuple[str, int]] = Counter()
        kept: list[Piece] = []
        shed, run = 0, ""
        for piece in self.pieces:
            if waiting > _MOST_WAITING or piece.lost:
                gone[piece.stream, piece.session] += piece.crops + piece.lost
                shed += piece.crops
                waiting -= piece.crops + _PIECE
                run = piece.run
            else:
                kept.append(piece)
        losses = [
            Piece(stream=stream, session=session, run=run, watched_s=0, lost=count)
            for (stream, session), count in gone.items()
            if count
        ]
        self.pieces = losses + kept
        return shed


def _share(quality: float) -> float:
    return shortest(min(1.0, max(0.0, quality)))
