"""Faces of many files, found and aligned, for those who need crops and not scores: to calibrate, and to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError, PictureError
from gend.faces import FaceDetector, align
from gend.media import media_files, read_picture
from gend.model import MIN_FACE_PX
from gend.video import Sampling, Video

Pixels = NDArray[np.uint8]

FRAMES = 8
"""Looked at in a video."""


@dataclass(frozen=True, slots=True)
class FaceFile:
    """A picture or video, and what its folders say of it."""

    path: Path
    label: int | None
    """0 real, 1 fake, None where nobody says."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """One face."""

    file: FaceFile
    pixels: Pixels
    """Aligned, at the size the picture gave it: RGB uint8 (h, w, 3)."""


def face_files(paths: Sequence[Path], most: int) -> list[FaceFile]:
    """The files of paths, spread evenly where there are more than `most`.

    Where the name of any folder on the way to a file, beginning with the one given, contains `real`, files in such
    folders are labelled real and all others fake, as data sets of this field are laid out.

    Raises:
        PictureError: A path is missing, or is an empty folder.
    """
    found: dict[Path, tuple[str, ...]] = {}
    for path in paths:
        for file in media_files(path):
            parts = file.relative_to(path.parent).parts[:-1] if path.is_dir() else (path.parent.name,)
            found.setdefault(file.absolute(), tuple(part.lower() for part in parts))
    real = {file: any("real" in part for part in parts) for file, parts in found.items()}
    labelled = any(real.values())
    files = [FaceFile(file, int(not real[file]) if labelled else None) for file in found]
    chosen = np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int)
    return [files[number] for number in chosen]


def aligned_faces(
    files: Sequence[FaceFile], faces: FaceDetector | None, failed: Callable[[GendError], None]
) -> Iterator[AlignedFace]:
    """Every face of files that is large enough to be scored.

    Args:
        files: pictures, and videos, of which a few frames are looked at.
        faces: finds them; None where each file is a face that is aligned already.
        failed: told of each file that cannot be read, which is then left out.
    """
    for file in files:
        try:
            for picture in _pictures(file.path):
                if faces is None:
                    yield AlignedFace(file, picture)
                    continue
                for face in faces.detect(picture):
                    if face.box[2] - face.box[0] >= MIN_FACE_PX:
                        yield AlignedFace(file, align(picture, face.landmarks))
        except GendError as error:
            failed(error)


def _pictures(path: Path) -> Iterator[Pixels]:
    picture = read_picture(path)
    if picture is not None:
        yield picture
        return
    frames = [frame.pixels for frame in Video(path).frames(Sampling(FRAMES, None)) if frame.sampled]
    if not frames:
        raise PictureError(f"{path}: no frame of it can be read")
    yield from frames
