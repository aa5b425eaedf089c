"""Pictures on this disk or in memory, as RGB arrays, and the files of a folder: what people hand over to be scored.

Pictures come upright, as the file says they are to be shown: a phone's are stored as its sensor lies. Videos are in
`gend.video`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gend.errors import PictureError

Pixels = NDArray[np.uint8]

_PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_VIDEOS = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
_TILED = {".heic", ".heif"}  # FFmpeg would take their first tile for a video
_DEEP = ("I", "F")
"""PIL's modes of 32 bits and of floats, which know no white."""


def media_files(path: Path, *, but: Path | None = None) -> list[Path]:
    """The file itself, or what a folder and the folders in it hold of pictures and videos, by name.

    Hidden files of a folder are left out: they are other programs' notes.

    Args:
        path: a file or a folder.
        but: a folder, resolved, whose files are left out as well.

    Raises:
        PictureError: there is no such file, or nothing in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise PictureError(f"{path}: no such file")
        return [path]
    files = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in _PICTURES | _VIDEOS and not file.name.startswith(".") and file.is_file()
    ]
    if but is not None:
        files = [file for file in files if not file.resolve().is_relative_to(but)]
    if not files:
        raise PictureError(f"{path}: no pictures or videos in this folder")
    return sorted(files)


def named_as_picture(path: Path) -> bool:
    """Whether a file's name is a picture's, not a video's."""
    return path.suffix.lower() in _PICTURES


def read_picture(path: Path) -> Pixels | None:
    """A picture, RGB uint8 (h, w, 3); None where the file is something else, maybe a video.

    Of several pictures in one file it is the first.

    Raises:
        PictureError: it is a picture that cannot be read, or one of more than 179 million pixels.
    """
    if path.suffix.lower() in _TILED:
        raise PictureError(f"{path}: HEIF pictures are not supported; convert it to JPEG or PNG")
    try:
        with warnings.catch_warnings():
            # PIL warns from half of what it refuses: phones make such pictures.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return _rgb(picture)
    except UnidentifiedImageError as error:
        if path.suffix.lower() in _PICTURES:  # FFmpeg would take it for a video, of one frame that is damaged
            raise PictureError(f"{path}: not a picture, whatever its name says, or damaged from the start") from error
        return None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # PIL's decoders raise each of these for damaged files.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise PictureError(f"{path}: cannot read this picture: {reason}") from error


def picture_at(path: Path) -> Pixels:
    """A picture where nothing else will do, RGB uint8 (h, w, 3).

    Raises:
        PictureError: as `read_picture`; or the file is something else.
    """
    picture = read_picture(path)
    if picture is None:
        raise PictureError(f"{path}: not a picture")
    return picture


def rgb_pixels(picture: Image.Image | NDArray[Any]) -> Pixels:
    """A picture in memory, RGB uint8 (h, w, 3).

    Args:
        picture: an array that is so already, or a PIL picture of any mode up to 16 bits a channel.

    Raises:
        PictureError: it is of another type or shape, has no pixels, or cannot be decoded.
    """
    if isinstance(picture, Image.Image):
        try:
            pixels = _rgb(picture)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise PictureError(f"picture: cannot read it: {error}") from error
    elif isinstance(picture, np.ndarray):
        pixels = np.ascontiguousarray(picture)
    else:
        raise PictureError(f"picture: expected a path, a PIL picture or an array, found {type(picture).__name__}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
        raise PictureError(f"picture: expected RGB uint8 (height, width, 3), found {pixels.dtype} {pixels.shape}")
    return pixels


def _rgb(picture: Image.Image) -> Pixels:
    if picture.mode in _DEEP:
        raise ValueError(f"its pixels are of PIL's mode {picture.mode}; convert it to 8 bits a channel")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16"):  # PIL's own conversion makes white of nearly all of it
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    return np.asarray(upright.convert("RGB"))
