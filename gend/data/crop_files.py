"""Aligned crops on disk, `<dataset>/<source>/<video>/<frame>.png`, and the lists that name some of them.

The tree says all that training and evaluation must know: crops of one video belong together, and a source whose name
contains `real` holds real faces, any other one manipulated ones. It is how the field lays out its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gend.errors import PictureError
from gend.whole_files import written_whole

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_MOST_NAMED = 20
"""Missing paths in one message; of more, their number is told."""
REAL, FAKE = 0, 1


@dataclass(frozen=True, slots=True, order=True)
class CropFile:
    """One crop, and what its place says of it."""

    dataset: str
    source: str
    video: str
    path: Path
    """Of the picture, whatever the place it is read from."""

    @property
    def label(self) -> int:
        """0 real, 1 fake."""
        return REAL if "real" in self.source.lower() else FAKE

    @property
    def video_key(self) -> str:
        """`dataset/source/video`: what the crops of one video have in common."""
        return f"{self.dataset}/{self.source}/{self.video}"

    @classmethod
    def at(cls, root: Path, path: Path) -> CropFile:
        """Of a picture `root/dataset/source/video/frame.png`; a video may lie any number of folders deep.

        Raises:
            PictureError: the path is too short to say so much.
        """
        parts = path.relative_to(root).parts if path.is_relative_to(root) else path.parts[-4:]
        if len(parts) < 4:
            raise PictureError(f"{path}: expected <dataset>/<source>/<video>/<frame> under {root}")
        return cls(parts[0], parts[1], "/".join(parts[2:-1]), path)


def find_crops(root: Path, under: Path | None = None) -> list[CropFile]:
    """All crops of a tree, or of a part of it, by dataset, source, video and name.

    Hidden files and folders are left out: `gend prepare` keeps there what is not done yet.

    Raises:
        PictureError: there is no such folder, or no picture in it.
    """
    folder = root if under is None else under
    if not folder.is_dir():
        raise PictureError(f"{folder}: no such folder")
    visible = (
        path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    crops = sorted(CropFile.at(root, path) for path in visible if _is_picture(path))
    if not crops:
        raise PictureError(f"{folder}: no pictures in this folder")
    return crops


def read_lists(root: Path, lists: Sequence[Path]) -> list[CropFile]:
    """The crops that list files name, each once, in their order.

    A line is a path that starts at `root`: a picture, or a folder, which stands for all pictures in it. Empty lines
    and those that begin with `#` say nothing. In the place of a list, a folder of crops may be given.

    Raises:
        PictureError: a list cannot be read, or paths are missing, all of which are named.
    """
    crops: dict[CropFile, None] = {}
    missing: list[str] = []
    for file in lists:
        if file.is_dir():
            crops.update(dict.fromkeys(find_crops(root, file)))
            continue
        for number, name in _lines(file):
            path = root / name
            if path.is_dir():
                crops.update(dict.fromkeys(find_crops(root, path)))
            elif path.is_file():
                crops[CropFile.at(root, path)] = None
            else:
                missing.append(f"{file}:{number}: {path}: no such file or folder")
    if missing:
        rest = [f"… and {len(missing) - _MOST_NAMED} more"] if len(missing) > _MOST_NAMED else []
        raise PictureError("\n".join([*missing[:_MOST_NAMED], *rest]))
    return list(crops)


def write_list(path: Path, root: Path, entries: Iterable[Path]) -> None:
    """Writes a list file of pictures or folders under `root`; what was there is replaced in one step.

    Raises:
        PictureError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{entry.relative_to(root).as_posix()}\n" for entry in entries)
        with written_whole(path) as unfinished:
            unfinished.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise PictureError(f"{path}: cannot be written ({error.strerror})") from error


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PictureError(f"{file}: cannot read this list ({getattr(error, 'strerror', None) or error})") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.is_file()
