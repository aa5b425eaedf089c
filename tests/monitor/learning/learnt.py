"""Small sessions as learning keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.decision import Encoder
from monitor.decision.measured import Crops, Fakes, Header, Piece, StreamLine
from monitor.decision.measured_file import MeasuredFile

HOURS = 0.5
SESSION_S = HOURS * 3600
ENCODER = Encoder(weights="demo", sha256="ab" * 32, adapter=None, engine="torch", precision="fp32")
POLICY: dict[str, Any] = {"detector": "yunet", "ignore": [], "min_face_px": 90.0}


def header(hours: float = HOURS) -> Header:
    return Header(software="0.1.0", session_hours=hours)


def of(stream: str, **policy: object) -> StreamLine:
    return StreamLine(stream=stream, encoder=ENCODER, policy={**POLICY, **policy})


def piece(session: int, stream: str = "lobby", track: str = "1-1", **fields: Any) -> Piece:
    crops = Crops(block=(3, 3, 5), logit=(-1.25, 0.1, 3.0), quality=(0.5, 1.0, 0.25))
    fakes = Fakes(logit=(2.5,), quality=(0.75,))
    given = {"run": "a", "watched_s": SESSION_S, "tracks": {track: crops}, "fakes": fakes, **fields}
    return Piece(stream=stream, session=session, **given)


def written(path: Path, *pieces: Piece, streams: tuple[str, ...] = ("lobby", "gate"), **policy: object) -> Path:
    file = MeasuredFile.open(path, header(), [of(stream, **policy) for stream in streams])
    assert file.append(pieces)
    file.close()
    return path
