"""What is known of one file that shall be scored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a file shall be looked at; a picture has one frame.

    Attributes:
        frames: so many, spread evenly; None with `stride`.
        stride: every so many-th instead.
        largest: score the largest face of each frame alone.
        min_face_px: leave out narrower faces.
    """

    frames: int | None = None
    stride: int | None = None
    largest: bool = False
    min_face_px: int = 30


@dataclass(frozen=True, slots=True)
class Job:
    """One file.

    Attributes:
        id: nobody guesses it.
        owner: name of whoever sent it.
        file: its name, as they call it.
        wish: how it is looked at.
        submitted_at: when it came.
        state: what has become of it.
        done: frames looked at.
        due: frames to look at; 0 while nobody knows.
        result: what came out, as `gend score --json --details` prints it; None before.
        error: why nothing did, in one line.
    """

    id: str
    owner: str
    file: str
    wish: Wish
    submitted_at: datetime
    state: JobState = "waiting"
    done: int = 0
    due: int = 0
    result: dict[str, Any] | None = None
    error: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in {"done", "failed", "cancelled"}
