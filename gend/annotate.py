"""The annotated copies of pictures and videos: where they go, and what is written there.

A copy never takes the place of what was scored, nor of the copy of another input. It appears under its name once it is
whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gend.cuts import Cuts
from gend.drawing import annotated, with_foot_below, write_foot
from gend.errors import GendError
from gend.h264 import VideoWriter
from gend.score import ScoredFrame
from gend.tally import FaceScore
from gend.video import Video

Pixels = NDArray[np.uint8]

_JPEG = {".jpg", ".jpeg"}
_JPEG_QUALITY = 92
_LATEST_S = 0.5
"""Faces may have left boxes that are older than this: they are drawn thinner."""


def check_folder(folder: Path) -> None:
    """Makes the folder that copies are to go to, and tries to write to it.

    Raises:
        GendError: it is a file, or cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise GendError(f"{folder}: a folder is needed, and this is a file or lies in one") from error
    except OSError as error:
        raise GendError(f"{folder}: cannot write there: {error.strerror}") from error


class Annotations:
    """A folder of annotated copies.

    Args:
        folder: exists and can be written to.
        foot: what stands at the foot of every picture.
        inputs: files that must not be overwritten.
    """

    def __init__(self, folder: Path, foot: str, inputs: Iterable[Path]) -> None:
        self._folder = folder
        self._foot = foot
        self._taken = {_same_file(path) for path in inputs}

    def picture(self, name: Path, pixels: Pixels, faces: Sequence[FaceScore]) -> Path:
        """Writes a picture with its faces marked, JPEG where it was one and else PNG.

        Args:
            name: of the input, with those of the folders inside the one that was given.
            pixels: RGB uint8 (h, w, 3).
            faces: those scored in it.

        Returns:
            The file.

        Raises:
            GendError: it cannot be written.
        """
        is_jpeg = name.suffix.lower() in _JPEG
        path = self._free(name if is_jpeg else _with_ending(name, ".png"))
        part = path.with_name(f".{path.name}.part")
        picture = with_foot_below(annotated(pixels, faces), self._foot if faces else f"{self._foot} · no face scored")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                Image.fromarray(picture).save(part, "JPEG" if is_jpeg else "PNG", quality=_JPEG_QUALITY)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise GendError(f"{path}: cannot write: {error.strerror or error}") from error
        return path

    @contextmanager
    def video(self, name: Path, video: Video) -> Iterator[AnnotatedVideo]:
        """Writes a video with its faces marked, as H.264 in MP4, at the same frame rate.

        Args:
            name: as of `picture`.
            video: what is annotated.

        Yields:
            What takes its frames.

        Raises:
            GendError: it cannot be written.
        """
        path = self._free(_with_ending(name, ".mp4"))
        with VideoWriter(path, rate=video.rate, time_base=video.time_base, pixel_aspect=video.pixel_aspect) as writer:
            yield AnnotatedVideo(path, writer, self._foot)

    def _free(self, name: Path) -> Path:
        """A path that nothing else has in this run."""
        path, number = self._folder / name, 1
        while (key := _same_file(path)) in self._taken:
            number += 1
            path = self._folder / name.with_stem(f"{name.stem}-{number}")
        self._taken.add(key)
        return path


class AnnotatedVideo:
    """A copy under way. It shows every frame, each with the faces of the last one of its scene that was looked at.

    Attributes:
        path: where it goes.
    """

    def __init__(self, path: Path, writer: VideoWriter, foot: str) -> None:
        self.path = path
        self._writer = writer
        self._foot = foot
        self._cuts = Cuts()
        self._faces: tuple[FaceScore, ...] = ()
        self._seen_s = 0.0

    def add(self, scored: ScoredFrame) -> None:
        """Adds the next frame, which has its pixels."""
        frame = scored.frame
        if self._cuts.at(frame.pixels, frame.at_s):
            self._faces = ()  # else one person's score stands beside the next one's face
        if frame.sampled:
            self._faces, self._seen_s = scored.faces, frame.at_s
        latest = frame.at_s - self._seen_s <= _LATEST_S
        picture = annotated(frame.pixels, self._faces, latest=latest)
        write_foot(picture, self._foot)  # over its bottom, so that the video keeps its size
        self._writer.write(picture, frame.at_s)


def _with_ending(name: Path, ending: str) -> Path:
    """`clip.mp4` stays as it is, `clip.mov` becomes `clip.mov.mp4`: two clips may lie side by side."""
    return name if name.suffix.lower() == ending else name.with_name(name.name + ending)


def _same_file(path: Path) -> str:
    """Equal for paths that may name one file, on file systems that do not tell capital letters either."""
    return str(path.resolve()).casefold()
