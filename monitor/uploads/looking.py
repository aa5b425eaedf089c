"""Looks at one file: scores it, keeps some of its frames, and makes the copy in which each face is marked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from gend.annotate import Annotations
from gend.drawing import foot
from gend.faces import FaceDetector
from gend.media import picture_at
from gend.model import Detector
from gend.score import FaceChoice, ScoredFrame, score_frames, still
from gend.tally import Tally
from gend.video import Sampling, Video
from monitor.uploads.job import Wish
from monitor.uploads.key_pictures import KeyPictures
from monitor.uploads.task import UPLOAD, Said

_COPY = Path("annotated")
Progress = Callable[[int, int], None]


class Looker:
    """Looks at the file of one folder.

    Args:
        folder: where it lies, and everything that is made of it goes.
        wish: how it is looked at.
        detector: judges the faces.
        faces: finds them.
    """

    def __init__(self, folder: Path, wish: Wish, detector: Detector, faces: FaceDetector) -> None:
        self._path = folder / UPLOAD
        self._wish = wish
        self._detector = detector
        self._faces = faces
        self._choice = FaceChoice(wish.largest, wish.min_face_px, wish.most_faces)
        self._tally = Tally(details=True)
        self._pictures = KeyPictures(folder)
        self._copies: Annotations | None = None
        if wish.annotate:
            by = "" if wish.adapter is None else f" · adapter {wish.adapter}"
            self._copies = Annotations(folder, foot(detector) + by, [self._path])

    def picture(self) -> Said:
        """Scores it as a picture.

        Raises:
            PictureError: it is damaged.
            GendError: the copy cannot be written, or the encoder fails.
            OSError: nor can a picture.
        """
        pixels = picture_at(self._path)
        (scored,) = score_frames(
            self._pictures.passing([still(pixels)]),
            self._detector,
            self._faces,
            self._choice,
            adapter=self._wish.adapter,
        )
        self._take(scored)
        copy = None if self._copies is None else self._copies.picture(_COPY, pixels, scored.faces)
        return self._said(copy)

    def video(self, progress: Progress) -> Said:
        """Scores it as a video; tells how many of the frames to look at are done. Raises as `picture`."""
        video = Video(self._path)
        sampling = self._sampling(float(video.rate))
        due, done = len(sampling.numbers(video.frames_stored)), 0
        frames = self._pictures.passing(video.frames(sampling, every=self._copies is not None))
        with nullcontext() if self._copies is None else self._copies.video(_COPY, video) as copy:
            for scored in score_frames(
                frames,
                self._detector,
                self._faces,
                self._choice,
                keep_pixels=copy is not None,
                adapter=self._wish.adapter,
            ):
                if copy is not None:
                    copy.add(scored)
                if scored.frame.sampled:
                    self._take(scored)
                    done += 1
                    progress(done, due)
        return self._said(None if copy is None else copy.path)

    def _sampling(self, rate: float) -> Sampling:
        if self._wish.per_second is not None:
            return Sampling(stride=max(1, round(rate / self._wish.per_second)))
        return Sampling(self._wish.frames, self._wish.stride)

    def _take(self, scored: ScoredFrame) -> None:
        self._tally.add(scored.faces, left_out=scored.left_out)
        self._pictures.judged(scored)

    def _said(self, copy: Path | None) -> Said:
        return Said(
            result=self._tally.score(str(self._path)),
            pictures=self._pictures.kept(),
            annotated=None if copy is None else copy.name,
        )
