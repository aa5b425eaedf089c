"""Frames of a video, or of a folder of pictures, in the order of their numbers; of each, what is wrong where it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gend.errors import PictureError
from gend.media import named_as_picture, read_picture
from gend.video import Video

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame."""

    number: int
    at_s: float
    pixels: Pixels | None
    """RGB uint8 (h, w, 3); None where there is no picture."""
    fault: str = ""
    """Why there is none, where there should be one."""


class Footage(Protocol):
    """Frames by number."""

    @property
    def count(self) -> int:
        """How many frames there are."""

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        """One for each number, which rise.

        Raises:
            PictureError: none of all frames that were ever asked for can be read.
        """


def open_footage(paths: Sequence[Path | None]) -> Footage:
    """A video, or pictures as its frames; None for a frame that has no picture.

    Raises:
        PictureError: the file holds no video.
    """
    first = paths[0]
    if len(paths) == 1 and first is not None and not named_as_picture(first):
        return _VideoFile(first)
    return _Pictures(paths)


class _VideoFile:
    def __init__(self, path: Path) -> None:
        self._video = Video(path)
        self._any = False

    @property
    def count(self) -> int:
        return self._video.frames_stored

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        due = iter(numbers)
        try:
            for frame in self._video.frames(np.array(numbers, dtype=np.int64)):
                self._any = True
                yield from _damaged(due, frame.number)
                yield Shot(frame.number, frame.at_s, frame.pixels)
        except PictureError:
            if not self._any:  # else it is these frames alone that cannot be decoded
                raise
        yield from _damaged(due, None)


class _Pictures:
    def __init__(self, paths: Sequence[Path | None]) -> None:
        self._paths = paths
        self._any = False

    @property
    def count(self) -> int:
        return len(self._paths)

    def shots(self, numbers: Sequence[int]) -> Iterator[Shot]:
        for number in numbers:
            path = self._paths[number]
            if path is None:
                yield Shot(number, 0.0, None)
                continue
            try:
                pixels = read_picture(path)
            except PictureError as error:
                if len(self._paths) == 1:
                    raise
                yield Shot(number, 0.0, None, str(error).removeprefix(f"{path}: "))
                continue
            self._any = True
            yield Shot(number, 0.0, pixels, "" if pixels is not None else "not a picture")


def _damaged(due: Iterator[int], until: int | None) -> Iterator[Shot]:
    """Those that were passed over on the way to the one that came."""
    for number in due:
        if number == until:
            return
        yield Shot(number, 0.0, None, "it cannot be decoded")
