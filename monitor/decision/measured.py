"""Numbers of watched sessions, as learning keeps them: lines of JSON, only ever added to. Nothing of any picture.

The first line says how long a session is, one more for each stream which encoder and sampling its numbers are of, and
every other adds a piece of a session. Each ends with a check of itself and all before it, so that a line that was
changed, moved or taken out of the middle is seen. Whoever writes may die at any moment: a last line without its end is
nobody's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from monitor.decision.calibration import Encoder, Positive
from monitor.decision.fitting import RealSession, TrackCrops
from monitor.errors import ConfigError

SCHEMA = 1
_HOUR_S = 3600.0
_BEGINS = '{"measured_sessions": '
_CHECK = ', "check": "'

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Header(_Line):
    """The first line."""

    measured_sessions: Literal[1] = 1
    """Version of the file; the key says what it is."""
    software: str
    session_hours: Positive


class StreamLine(_Line):
    """What a stream's numbers are of; before the first of them."""

    stream: str
    encoder: Encoder
    policy: dict[str, Any]
    """As `sampling_policy`."""


class Fakes(_Line):
    """Answers to crops that were manipulated on purpose."""

    logit: tuple[Number, ...] = ()
    quality: tuple[Share, ...] = ()

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len(self.logit) != len(self.quality):
            raise ValueError("as many qualities as logits are expected")
        return self


class Crops(Fakes):
    """Answers to crops of one track."""

    block: tuple[Count, ...] = ()
    """Number of the second that each was seen in, from the session's first."""

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if len(self.block) != len(self.logit):
            raise ValueError("as many blocks as logits are expected")
        return self


class Piece(_Line):
    """What about a minute adds to one session of one stream."""

    stream: str
    session: int
    """Session k began k session lengths after the beginning of the UTC epoch."""
    run: str
    """Whose ids the tracks have."""
    watched_s: float = Field(ge=0, allow_inf_nan=False)
    """Seconds in which the stream was live and its faces could be scored."""
    tracks: dict[str, Crops] = {}
    fakes: Fakes = Fakes()
    not_finite: Count = 0
    """Answers that were no numbers, and are left out."""
    lost: Count = 0
    """Crops that could not be kept: the session is not whole."""

    @property
    def crops(self) -> int:
        """Numbers of real faces in it."""
        return sum(len(track.logit) for track in self.tracks.values())


Model = TypeVar("Model", bound=_Line)


@dataclass(slots=True)
class MeasuredSession:
    """All pieces of one session of one stream."""

    stream: str
    number: int
    session_s: float
    watched_s: float = 0.0
    tracks: dict[tuple[str, str], list[Crops]] = field(default_factory=dict)
    """By run and id."""
    fakes: list[Fakes] = field(default_factory=list)
    not_finite: int = 0
    lost: int = 0

    def add(self, piece: Piece) -> None:
        """Takes one more piece in."""
        self.watched_s += piece.watched_s
        self.not_finite += piece.not_finite
        self.lost += piece.lost
        self.fakes.append(piece.fakes)
        for name, crops in piece.tracks.items():
            self.tracks.setdefault((piece.run, name), []).append(crops)

    @property
    def name(self) -> str:
        """Stream and beginning, for people: `lobby 2026-01-31 00:00`."""
        return f"{self.stream} {self.begins:%Y-%m-%d %H:%M:%S}".removesuffix(":00")

    @property
    def begins(self) -> datetime:
        """Its first moment, UTC."""
        return datetime.fromtimestamp(0, tz=UTC) + timedelta(seconds=self.number * self.session_s)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it, UTC."""
        return self.begins + timedelta(seconds=self.session_s)

    @property
    def crops(self) -> int:
        """Numbers of real faces in it."""
        return sum(len(crops.logit) for pieces in self.tracks.values() for crops in pieces)

    def real(self) -> RealSession:
        """The session as `fitting.fit` takes it."""
        tracks = tuple(_track(pieces) for pieces in self.tracks.values())
        return RealSession(self.name, tuple(track for track in tracks if len(track.block)))


@dataclass(frozen=True, slots=True)
class Measured:
    """A whole file."""

    session_hours: float
    streams: dict[str, StreamLine]
    sessions: dict[tuple[str, int], MeasuredSession]
    """By stream and number."""

    @property
    def session_s(self) -> float:
        """Length of a session, seconds."""
        return self.session_hours * _HOUR_S


def read_measured(path: Path) -> Measured:
    """Reads a file of learning, also while it is written.

    Raises:
        ConfigError: there is none, it is something else, of another version, it was edited, or something in it is
            wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    return parse(path, content)[0]


def parse(path: Path, content: bytes) -> tuple[Measured, str, int]:
    """What is in a file.

    Args:
        path: how errors call it.
        content: all of it.

    Returns:
        That, the check of the last whole line, and how many bytes are whole lines.

    Raises:
        ConfigError: as `read_measured`.
    """
    if not content.startswith(_BEGINS.encode()):
        raise ConfigError(f"{path}: no learnt sessions, but something else")
    whole = content.rfind(b"\n") + 1
    bodies = _bodies(path, content[:whole])
    try:
        first, check = next(bodies)
    except StopIteration:
        raise ConfigError(f"{path}: no learnt sessions, but something else") from None
    version = first.get("measured_sessions")
    if version != SCHEMA:
        raise ConfigError(f"{path}: of version {version}; this software reads version {SCHEMA}")
    header = _model(path, 1, Header, first)
    measured = Measured(header.session_hours, {}, {})
    for number, (body, after) in enumerate(bodies, start=2):
        check = after
        if "encoder" in body:
            line = _model(path, number, StreamLine, body)
            measured.streams[line.stream] = line
            continue
        piece = _model(path, number, Piece, body)
        if piece.stream not in measured.streams:
            raise ConfigError(f"{path}: line {number}: nothing was said of the stream {piece.stream}")
        key = piece.stream, piece.session
        session = measured.sessions.setdefault(key, MeasuredSession(*key, measured.session_s))
        session.add(piece)
    return measured, check, whole


def unbegun(content: bytes) -> bool:
    """Whether a file holds nothing yet: it is empty, or who began it died within its first line."""
    begins = _BEGINS.encode()
    return b"\n" not in content and (content.startswith(begins) or begins.startswith(content))


def line(model: _Line, before: str) -> tuple[str, str]:
    """A line with its end, and its check.

    Args:
        model: what is in it.
        before: check of the line before; empty for the first.
    """
    body = json.dumps(model.model_dump(mode="json"), allow_nan=False)
    check = _check(body, before)
    return f'{body[:-1]}{_CHECK}{check}"}}\n', check


def _bodies(path: Path, content: bytes) -> Iterator[tuple[dict[str, Any], str]]:
    """Each line without its check, and that."""
    before = ""
    for number, raw in enumerate(content.split(b"\n")[:-1], start=1):
        text, _, rest = raw.decode(errors="replace").rpartition(_CHECK)
        before = _check(text + "}", before)
        if rest != f'{before}"}}':
            raise ConfigError(f"{path}: line {number} or what was before it has been changed; learn into another file")
        yield json.loads(text + "}"), before


def _check(body: str, before: str) -> str:
    return hashlib.sha256((before + body).encode()).hexdigest()[:32]


def _model(path: Path, number: int, kind: type[Model], body: dict[str, Any]) -> Model:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: line {number}: {place}: {first['msg']}") from error


def _track(pieces: list[Crops]) -> TrackCrops:
    block = [number for crops in pieces for number in crops.block]
    return TrackCrops(
        np.array(block, dtype=np.int64),
        _numbers([value for crops in pieces for value in crops.logit]),
        _numbers([value for crops in pieces for value in crops.quality]),
    )


def _numbers(values: list[float]) -> NDArray[np.float64]:
    # They were written as the shortest text that is the same number of 32 bits, which is what an encoder answers in.
    return np.array(values, dtype=np.float32).astype(np.float64)


def shortest(value: float) -> float:
    """The number as it is written: no longer than its 32 bits need."""
    return float(str(np.float32(value)))
