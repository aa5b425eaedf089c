"""What `gend score` does with each of the files it is given: read, score, annotate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gend.annotate import Annotations
from gend.errors import GendError
from gend.faces import FaceDetector
from gend.media import media_files, read_picture
from gend.model import Detector
from gend.score import FaceChoice, FileScore, score_frames, still
from gend.tally import Tally
from gend.video import Sampling, Video

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]
"""Told how many frames of a file are done, and of how many."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to be scored."""

    path: Path
    name: Path
    """Its name, with those of the folders inside the one that was given."""


def input_files(path: Path, annotate: Path | None) -> list[InputFile]:
    """The file itself, or what is in a folder, but for annotated copies of former runs.

    Args:
        path: as given.
        annotate: the folder of annotated copies, if any.

    Raises:
        GendError: there is nothing to score, or the copies would lie between what is scored.
    """
    if not path.is_dir():
        return [InputFile(file, Path(file.name)) for file in media_files(path)]
    copies = None if annotate is None else annotate.resolve()
    if copies == path.resolve():
        raise GendError(f"{path}: annotated copies must not go to the folder that is scored; give another")
    files = media_files(path, but=copies)
    return [InputFile(file, file.relative_to(path)) for file in files]


@dataclass(frozen=True, slots=True)
class FileScorer:
    """Scores files one after the other, all in the same way.

    Attributes:
        detector: judges the faces.
        faces: finds them.
        sampling: which frames of a video are looked at.
        choice: which faces of a frame are scored.
        details: keep every face of every frame.
        annotations: where annotated copies go; None for no copies.
    """

    detector: Detector
    faces: FaceDetector
    sampling: Sampling
    choice: FaceChoice
    details: bool
    annotations: Annotations | None

    def score(self, file: InputFile, progress: Progress) -> tuple[FileScore, Path | None]:
        """Scores a picture or a video, whichever the file is.

        Returns:
            The score, and the annotated copy.

        Raises:
            PictureError: the file is neither, or is damaged.
            GendError: the copy cannot be written, or the encoder fails.
        """
        picture = read_picture(file.path)
        return self._video(file, progress) if picture is None else self._picture(file, picture)

    def _picture(self, file: InputFile, picture: Pixels) -> tuple[FileScore, Path | None]:
        tally = Tally(details=self.details)
        (scored,) = score_frames([still(picture)], self.detector, self.faces, self.choice)
        tally.add(scored.faces, left_out=scored.left_out)
        copy = None if self.annotations is None else self.annotations.picture(file.name, picture, scored.faces)
        return tally.score(str(file.path)), copy

    def _video(self, file: InputFile, progress: Progress) -> tuple[FileScore, Path | None]:
        video = Video(file.path)
        annotates = self.annotations is not None
        total = video.frames_stored if annotates else len(self.sampling.numbers(video.frames_stored))
        tally = Tally(details=self.details)
        frames = video.frames(self.sampling, every=annotates)
        with nullcontext() if self.annotations is None else self.annotations.video(file.name, video) as copy:
            for done, scored in enumerate(
                score_frames(frames, self.detector, self.faces, self.choice, keep_pixels=annotates), start=1
            ):
                if scored.frame.sampled:
                    tally.add(scored.faces, left_out=scored.left_out)
                if copy is not None:
                    copy.add(scored)
                progress(done, total)
        return tally.score(str(file.path)), None if copy is None else copy.path


def distinct(files: Iterable[InputFile]) -> list[InputFile]:
    """Each file once, however often it was given."""
    found: dict[Path, InputFile] = {}
    for file in files:
        found.setdefault(file.path.absolute(), file)
    return list(found.values())
