"""What is known of one file that shall be scored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a file shall be looked at; a picture has one frame. At most one of the first three is given.

    Attributes:
        frames: so many, spread evenly.
        stride: every so many-th instead.
        per_second: so many a second of the video, as near as whole frames allow.
        largest: score the largest face of each frame alone.
        most_faces: score so many of each frame at the most, the largest of them; None for all.
        min_face_px: leave out narrower faces.
        adapter: the fine-tune that judges, by its name in `encoder.adapters`; None: the encoder as it is.
        annotate: make a copy with each face marked, of a video with all of its frames.
    """

    frames: int | None = None
    stride: int | None = None
    per_second: float | None = None
    largest: bool = False
    most_faces: int | None = None
    min_face_px: int = 30
    adapter: str | None = None
    annotate: bool = False


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """A frame that is kept, small, for people to look at.

    Attributes:
        frame: its number, as in the result.
        at_s: since the first frame.
        width: of the frame, pixels; boxes are in these.
        height: the same.
    """

    frame: int
    at_s: float
    width: int
    height: int


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
        pictures: frames of it that are kept while the job is known.
        annotated: name of the copy with each face marked; None where there is none, or not any more.
        error: why nothing came out, in one line.
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
    pictures: tuple[KeyPicture, ...] = ()
    annotated: str | None = None
    error: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state in {"done", "failed", "cancelled"}
