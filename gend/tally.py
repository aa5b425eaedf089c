"""What is said of the faces of one picture or video, and how it is added up frame by frame.

Of a face eight bytes stay, however long the video is, unless every face is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class FaceScore:
    """One face in one frame."""

    frame: int
    """From 0, in the order in which frames are shown."""
    at_s: float
    """Since the first frame."""
    track: int
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels; may reach outside the picture."""
    confidence: float
    """Of the face detector, 0 to 1."""
    logit: float
    """Raw log-odds of fake."""
    p_fake: float


@dataclass(frozen=True, slots=True)
class TrackScore:
    """One face over the frames of one file."""

    id: int
    """From 1, in order of appearance."""
    frames: int
    """Frames in which it was scored."""
    mean: float
    """Of p(fake)."""
    median: float
    """Of p(fake)."""
    first_s: float
    """When it was scored first, since the first frame."""
    last_s: float
    """When it was scored last."""


@dataclass(frozen=True, slots=True)
class FileScore:
    """One picture or video."""

    path: str | None
    """None for a picture in memory."""
    frames: int
    """Frames looked at; 1 for a picture."""
    faces: int
    """Faces scored, over all frames."""
    mean: float | None
    """Of p(fake) over all of them; None where there is no face."""
    median: float | None
    """Of p(fake) over all of them; None where there is no face."""
    tracks: tuple[TrackScore, ...]
    left_out: int = 0
    """Faces found and not scored, over all frames: too small, or seen so that they cannot be aligned."""
    details: tuple[FaceScore, ...] = ()
    """Every face of every frame: always for a picture, for a video where asked for."""


class Tally:
    """Adds up the scores of one file.

    Args:
        details: keep every face.
    """

    def __init__(self, *, details: bool) -> None:
        self._frames = 0
        self._left_out = 0
        self._tracks: dict[int, _Track] = {}
        self._details: list[FaceScore] | None = [] if details else None

    def add(self, faces: Sequence[FaceScore], *, left_out: int = 0) -> None:
        """Takes in the faces of the next frame that was looked at, and how many were found besides."""
        self._frames += 1
        self._left_out += left_out
        for face in faces:
            track = self._tracks.setdefault(face.track, _Track(face.at_s))
            track.p_fake.append(face.p_fake)
            track.last_s = face.at_s
        if self._details is not None:
            self._details += faces

    def score(self, path: str | None) -> FileScore:
        """The score of all that was added."""
        everything = np.concatenate([np.empty(0), *(track.p_fake for track in self._tracks.values())])
        return FileScore(
            path=path,
            frames=self._frames,
            faces=len(everything),
            mean=float(everything.mean()) if everything.size else None,
            median=float(np.median(everything)) if everything.size else None,
            tracks=tuple(track.score(number) for number, track in sorted(self._tracks.items())),
            left_out=self._left_out,
            details=tuple(self._details or ()),
        )


@dataclass(slots=True)
class _Track:
    first_s: float
    last_s: float = 0.0
    p_fake: array[float] = field(default_factory=lambda: array("d"))

    def score(self, number: int) -> TrackScore:
        mean, median = float(np.mean(self.p_fake)), float(np.median(self.p_fake))
        return TrackScore(number, len(self.p_fake), mean, median, self.first_s, self.last_s)
