"""Scores of pictures and videos: every face found, aligned and judged, one after the other.

This judges files as they are, with the plain mean over frames of GenD's paper (arXiv 2508.06248, 32 frames a video).
It does not follow faces closely, gate them by quality, or weigh evidence against false alarms; the monitor does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from gend.errors import PictureError
from gend.faces import Face, FaceDetector, align
from gend.media import read_picture, sample_video
from gend.model import Detector

Pixels = NDArray[np.uint8]

MIN_FACE_PX = 40
"""Narrower faces are left out: what an encoder says of them is noise."""
_BATCH = 8
# From one sampled frame to the next a face moves by less than its own width, and at most doubles or halves.
_MAX_STEP = 1.0
_MAX_GROWTH = 2.0


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


@dataclass(frozen=True, slots=True)
class FileScore:
    """One picture or video."""

    path: str
    frames: int
    """Frames looked at; 1 for a picture."""
    faces: int
    """Faces scored, over all frames."""
    mean: float | None
    """Of p(fake) over all of them; None where there is no face."""
    median: float | None
    """Of p(fake) over all of them; None where there is no face."""
    tracks: tuple[TrackScore, ...]


@dataclass(slots=True)
class _Track:
    """A face under way: where it was last, and which of the crops are its."""

    face: Face
    crops: list[int] = field(default_factory=list)


def score_file(path: Path, detector: Detector, faces: FaceDetector, *, frames: int = 32) -> FileScore:
    """Scores a picture or a video, whichever the file is. Raises as `score_picture` and `score_video`."""
    picture = read_picture(path)
    return (
        score_video(path, detector, faces, frames=frames)
        if picture is None
        else _score(path, [picture], detector, faces)
    )


def score_picture(path: Path, detector: Detector, faces: FaceDetector) -> FileScore:
    """Scores every face of a picture, each as a track of its own.

    Raises:
        PictureError: the file is no picture, or a damaged one.
    """
    picture = read_picture(path)
    if picture is None:
        raise PictureError(f"{path}: not a picture")
    return _score(path, [picture], detector, faces)


def score_video(path: Path, detector: Detector, faces: FaceDetector, *, frames: int = 32) -> FileScore:
    """Scores every face in frames spread evenly over a video.

    Args:
        path: anything FFmpeg reads.
        detector: judges the faces.
        faces: finds them.
        frames: how many frames to look at; a shorter video is looked at whole.

    Raises:
        PictureError: the file is no video, or no frame of it can be decoded.
    """
    return _score(path, sample_video(path, frames), detector, faces)


def _score(path: Path, pictures: Iterable[Pixels], detector: Detector, faces: FaceDetector) -> FileScore:
    tracks: list[_Track] = []
    logits: list[float] = []
    waiting: list[Pixels] = []
    looked_at = 0
    for picture in pictures:
        looked_at += 1
        found = [face for face in faces.detect(picture) if face.box[2] - face.box[0] >= MIN_FACE_PX]
        for track in _follow(tracks, found):
            track.crops.append(len(logits) + len(waiting))
            waiting.append(detector.prepare(align(picture, track.face.landmarks)))
            if len(waiting) == _BATCH:
                logits += detector.logits(np.stack(waiting)).tolist()
                waiting.clear()
    if waiting:
        logits += detector.logits(np.stack(waiting)).tolist()

    fake = expit(np.array(logits, dtype=np.float64))
    return FileScore(
        path=str(path),
        frames=looked_at,
        faces=len(fake),
        mean=float(fake.mean()) if len(fake) else None,
        median=float(np.median(fake)) if len(fake) else None,
        tracks=tuple(
            TrackScore(number, len(track.crops), float(fake[track.crops].mean()), float(np.median(fake[track.crops])))
            for number, track in enumerate(tracks, start=1)
        ),
    )


def _follow(tracks: list[_Track], found: list[Face]) -> list[_Track]:
    """Gives each face of a frame to the nearest track, or to a new one that is added to `tracks`.

    Returns:
        The track of each face, its `face` being that one.
    """
    steps = sorted(
        (step, old, new)
        for old, track in enumerate(tracks)
        for new, face in enumerate(found)
        if (step := _step(track.face, face)) is not None
    )
    owner: dict[int, int] = {}  # index of a face → of its track
    for _, old, new in steps:
        if new not in owner and old not in owner.values():
            owner[new] = old
    for new, face in enumerate(found):
        if new not in owner:
            owner[new] = len(tracks)
            tracks.append(_Track(face))
        tracks[owner[new]].face = face
    return [tracks[owner[new]] for new in range(len(found))]


def _step(before: Face, after: Face) -> float | None:
    """How far a face would have moved, in widths of it; None where it cannot be the same."""
    (x0, y0, x1, y1), (u0, v0, u1, v1) = before.box, after.box
    width, other_width = x1 - x0, u1 - u0
    growth = max(width, other_width) / min(width, other_width)
    step = float(np.hypot(x0 + x1 - u0 - u1, y0 + y1 - v0 - v1)) / (width + other_width)
    return step if step <= _MAX_STEP and growth <= _MAX_GROWTH else None
