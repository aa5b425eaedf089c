"""Where each aligned crop came from: one JSON line for each, in `manifest.jsonl` at the root of a tree of crops.

`gend prepare` writes it. Training pairs real and manipulated videos by it, and training and evaluation tell by it
whether two sets share a source video, whatever its files are called.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gend.errors import PictureError

MANIFEST = "manifest.jsonl"

_TYPES: dict[str, tuple[type, ...]] = {
    "crop": (str,),
    "crop_sha256": (str,),
    "file": (str,),
    "file_sha256": (str,),
    "frame": (int,),
    "at_s": (int, float),
    "pair": (str, type(None)),
    "box": (list,),
    "landmarks": (list,),
    "confidence": (int, float),
    "detector": (str,),
}


@dataclass(frozen=True, slots=True)
class CropRecord:
    """One crop."""

    crop: str
    """Its path under the root, with `/`."""
    crop_sha256: str
    """Of its file."""
    file: str
    """The picture or video it was cut from, as a path under the folder that was prepared, with `/`."""
    file_sha256: str
    """Of that file: the same video is known again under any name."""
    frame: int
    """Of the video, from 0; 0 for a picture."""
    at_s: float
    """Since the video's first frame; 0 for a picture."""
    pair: str | None
    """For a manipulated video: `dataset/source/video` of the real one it was made from, where that is known."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 of the face, pixels of the frame."""
    landmarks: tuple[tuple[float, float], ...]
    """Five points, pixels of the frame, ordered as in `gend.faces.Face`."""
    confidence: float
    detector: str

    @property
    def video_key(self) -> str:
        """`dataset/source/video` of the crop."""
        return self.crop.rpartition("/")[0]

    def line(self) -> str:
        """As it stands in the file, with its line break."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def read_manifest(root: Path) -> list[CropRecord]:
    """The records of a tree; none where it has no manifest. A last line that was cut off is left out.

    Raises:
        PictureError: it cannot be read, or a line is damaged.
    """
    path = root / MANIFEST
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PictureError(f"{path}: cannot read ({getattr(error, 'strerror', None) or error})") from error
    return list(_records(path, text))


def _records(path: Path, text: str) -> Iterator[CropRecord]:
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):  # what wrote it was killed in between
            return
        try:
            yield _record(json.loads(line))
        except (ValueError, TypeError) as error:
            raise PictureError(f"{path}:{number}: damaged ({error})") from error


def _record(content: Any) -> CropRecord:
    if not isinstance(content, dict):
        raise TypeError("not an object")
    for name, types in _TYPES.items():
        if not isinstance(content.get(name), types):
            raise TypeError(f"{name} is {content.get(name)!r}")
    x0, y0, x1, y1 = map(float, content["box"])
    landmarks = tuple((float(x), float(y)) for x, y in content["landmarks"])
    known = {name: content[name] for name in _TYPES}
    return CropRecord(**{**known, "box": (x0, y0, x1, y1), "landmarks": landmarks})
