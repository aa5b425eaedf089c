"""Scores of pictures and videos: every face found, aligned, judged and, in a video, followed.

This judges files as they are, with the plain mean over frames of GenD's paper (arXiv 2508.06248, 32 frames a video).
It does not gate faces by quality or weigh evidence against false alarms; the monitor does. A video streams through:
a frame is gone once its faces are cut out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from gend.errors import GendError, PictureError
from gend.faces import Face, FaceDetector, align
from gend.following import Follower
from gend.media import picture_at, rgb_pixels
from gend.model import MIN_FACE_PX, Detector
from gend.tally import FaceScore, FileScore, Tally, TrackScore
from gend.video import Frame, Sampling, Video

__all__ = [
    "FaceChoice",
    "FaceScore",
    "FileScore",
    "Picture",
    "ScoredFrame",
    "TrackScore",
    "score_frames",
    "score_image",
    "score_video",
    "still",
]

Pixels = NDArray[np.uint8]
Picture = str | Path | Image.Image | NDArray[np.uint8]

_BATCH = 8
"""Crops judged at once."""
_MOST_HELD = 8
"""Frames that may wait, with their pixels, for the crops of others to fill a batch."""
_MOST_RECORDS = 64
"""Those that may wait without."""
_NO_PIXELS: Pixels = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class FaceChoice:
    """Which faces of a frame are scored."""

    largest: bool = False
    """The largest alone, as GenD's authors choose."""
    min_px: int = MIN_FACE_PX
    """Narrower ones are left out."""
    most: int | None = None
    """So many at the most, the largest of them; None for all."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFrame:
    """One frame and what was found in it."""

    frame: Frame
    """Without its pixels, unless they were to be kept."""
    faces: tuple[FaceScore, ...]
    """None of them where the frame was not looked at."""
    left_out: int
    """Faces found and not scored."""


def score_image(
    picture: Picture, detector: Detector, faces: FaceDetector, *, largest: bool = False, min_face_px: int = MIN_FACE_PX
) -> FileScore:
    """Scores the faces of a picture, each as a track of its own.

    Args:
        picture: a file, a PIL picture, or an array: RGB uint8 (h, w, 3).
        detector: judges the faces.
        faces: finds them.
        largest: score the largest face alone.
        min_face_px: leave out narrower faces.

    Returns:
        The score, with every face in `details`.

    Raises:
        PictureError: it is no picture, a damaged one, or an array of another type or shape.
    """
    path = Path(picture) if isinstance(picture, str | Path) else None
    pixels = rgb_pixels(picture) if isinstance(picture, Image.Image | np.ndarray) else picture_at(Path(picture))
    tally = Tally(details=True)
    for scored in score_frames([still(pixels)], detector, faces, FaceChoice(largest, min_face_px)):
        tally.add(scored.faces, left_out=scored.left_out)
    return tally.score(None if path is None else str(path))


def score_video(
    path: str | Path,
    detector: Detector,
    faces: FaceDetector,
    *,
    frames: int | None = None,
    stride: int | None = None,
    largest: bool = False,
    min_face_px: int = MIN_FACE_PX,
    details: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FileScore:
    """Scores the faces of a video and follows each over the frames that are looked at.

    Args:
        path: anything FFmpeg reads.
        detector: judges the faces.
        faces: finds them.
        frames: look at so many frames, spread evenly; a shorter video is looked at whole. 32 unless `stride` is given.
        stride: look at every so many-th frame instead; 1 is every frame.
        largest: score the largest face of each frame alone.
        min_face_px: leave out narrower faces.
        details: keep every face of every frame in the answer; without, its size does not grow with the video's.
        progress: told how many frames were looked at, and how many there are to look at.

    Raises:
        PictureError: the file is no video, or no frame of it can be decoded.
        GendError: both `frames` and `stride` are given, or less than 1.
    """
    sampling = Sampling(frames, stride)
    video = Video(Path(path))
    due = len(sampling.numbers(video.frames_stored))
    tally = Tally(details=details)
    scored_frames = score_frames(video.frames(sampling), detector, faces, FaceChoice(largest, min_face_px))
    for done, scored in enumerate(scored_frames, start=1):
        tally.add(scored.faces, left_out=scored.left_out)
        if progress is not None:
            progress(done, due)
    return tally.score(str(path))


def still(pixels: Pixels) -> Frame:
    """A picture, RGB uint8 (h, w, 3), as the only frame there is."""
    return Frame(number=0, at_s=0.0, pixels=pixels, sampled=True)


def score_frames(
    frames: Iterable[Frame],
    detector: Detector,
    faces: FaceDetector,
    choice: FaceChoice,
    *,
    keep_pixels: bool = False,
    adapter: str | None = None,
) -> Iterator[ScoredFrame]:
    """Scores frames one after the other, and gives each back once all of its faces are judged.

    Args:
        frames: of one picture or video, in the order of showing.
        detector: judges the faces.
        faces: finds them.
        choice: which of them are scored.
        keep_pixels: give the frames back with their pixels; up to `_MOST_HELD` of them then wait in memory.
        adapter: the fine-tune of the detector that judges; None: the encoder as it is.

    Yields:
        Every frame, in the same order.

    Raises:
        GendError: an encoder that answers with what is no number; whatever `frames`, `faces` and `detector` raise.
    """
    follower = Follower()
    judge = _Judge(detector, adapter)
    held: list[_Held] = []
    for frame in frames:
        held.append(_look(frame, judge, faces, choice, follower) if frame.sampled else _Held(frame))
        if not keep_pixels:
            held[-1].frame = replace(frame, pixels=_NO_PIXELS)
        if not judge.waiting or len(held) == (_MOST_HELD if keep_pixels else _MOST_RECORDS):
            yield from _settled(held, judge)
            held.clear()
    yield from _settled(held, judge)


@dataclass(slots=True)
class _Held:
    """A frame whose faces are not all judged yet."""

    frame: Frame
    faces: list[Face] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    left_out: int = 0


class _Judge:
    """Has crops judged in batches, and answers in the order in which they came."""

    def __init__(self, detector: Detector, adapter: str | None) -> None:
        self._detector = detector
        self._adapter = adapter
        self._crops: list[Pixels] = []
        self._logits: list[float] = []

    @property
    def waiting(self) -> bool:
        """Whether crops wait for more to fill a batch."""
        return bool(self._crops)

    def add(self, aligned: Pixels) -> None:
        """Takes in the next face."""
        self._crops.append(self._detector.prepare(aligned))
        if len(self._crops) == _BATCH:
            self._judge()

    def take(self) -> list[float]:
        """Logits of all faces added since the last call."""
        if self._crops:
            self._judge()
        logits, self._logits = self._logits, []
        return logits

    def _judge(self) -> None:
        crops = np.stack(self._crops)
        if self._adapter is None:
            logits = self._detector.logits(crops)
        else:
            logits = self._detector.logits(crops, [self._adapter] * len(crops))
        if not np.isfinite(logits).all():
            raise GendError(f"weights {self._detector.identity.weights}: the encoder's answer is not a number")
        self._logits += logits.tolist()
        self._crops.clear()


def _look(frame: Frame, judge: _Judge, faces: FaceDetector, choice: FaceChoice, follower: Follower) -> _Held:
    """Finds and follows the faces of a frame, and hands their crops over to be judged."""
    found = faces.detect(frame.pixels)
    wide = [face for face in found if _width(face) >= choice.min_px]
    held = _Held(frame, left_out=len(found) - len(wide))
    most = 1 if choice.largest else choice.most
    chosen = wide if most is None else sorted(wide, key=_area, reverse=True)[:most]
    # From left to right: so they are numbered, and so people read them.
    for face in sorted(chosen, key=lambda face: face.box[0]):
        try:
            aligned = align(frame.pixels, face.landmarks)
        except PictureError:  # turned so far away that no upright face fits its landmarks
            held.left_out += 1
        else:
            judge.add(aligned)
            held.faces.append(face)
    held.tracks = follower.follow(frame.pixels, held.faces, frame.at_s)
    return held


def _settled(held: list[_Held], judge: _Judge) -> Iterator[ScoredFrame]:
    """The frames that waited, their faces judged."""
    logits = np.array(judge.take(), dtype=np.float64)
    judged = zip(logits.tolist(), expit(logits).tolist(), strict=True)
    for waited in held:
        frame = waited.frame
        faces = tuple(
            FaceScore(frame.number, frame.at_s, track, face.box, face.confidence, *next(judged))
            for face, track in zip(waited.faces, waited.tracks, strict=True)
        )
        yield ScoredFrame(frame, faces, waited.left_out)


def _width(face: Face) -> float:
    return face.box[2] - face.box[0]


def _area(face: Face) -> float:
    return _width(face) * (face.box[3] - face.box[1])
