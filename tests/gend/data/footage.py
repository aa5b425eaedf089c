"""Small trees of videos with a real face in them, as `gend prepare` is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gend.errors import FetchError
from gend.fetch import fetch
from tests.gend.fetched import fetched
from tests.gend.videos import write_video


def need_detector() -> None:
    """Skips where `auto` finds neither YuNet, which is loaded sooner, nor BlazeFace."""
    try:
        fetch("yunet")
    except FetchError:
        fetched("blazeface")


def face_picture() -> NDArray[np.uint8]:
    """RGB uint8 (128, 128, 3) with one face, about 45 pixels wide."""
    with Image.open(fetched("astronaut")) as picture:
        region = picture.convert("RGB").crop((96, 20, 352, 276)).resize((128, 128), Image.Resampling.LANCZOS)
        return np.asarray(region)


def write_face(path: Path, *, frames: int = 6, shift: int = 0) -> Path:
    """A video of the face, which moves; another `shift`, another video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = face_picture()
    return write_video(path, [np.roll(picture, shift + step, axis=1) for step in range(frames)], gop=3)


def write_faceless(path: Path, *, frames: int = 6) -> Path:
    """A video without any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, [np.full((64, 96, 3), 10 * step, np.uint8) for step in range(frames)])


def tree_of(root: Path) -> dict[str, bytes]:
    """All files under a folder that users look at, and what they hold."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in files
        if not path.relative_to(root).parts[0].startswith(".")
    }
