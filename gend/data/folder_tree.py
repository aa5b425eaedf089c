"""Folders that follow no known layout: the first below the root is the source, and the rest is the video.

SRC/real/anna.mp4            one video
SRC/real/day2/anna.mp4       another
SRC/fake/otto.jpg            a picture: a video of one frame
SRC/fake/otto/0001.png …     a folder of pictures below a source: one video, its frames
SRC/fake/anna.mp4, SRC/fake/anna_mask.mp4      a video, and where it was manipulated
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from gend.data.source_videos import Plan, Problem, Severity, SourceVideo, arranged, natural, with_dataset
from gend.media import media_files, named_as_picture

_MASK = "_mask"


def plan_folder(src: Path, dataset: str, *, but: Path | None = None, alone: bool = False) -> Plan:
    """What a folder holds.

    Args:
        src: the folder. What lies in it directly is of a source that is called as the folder is.
        dataset: name of the data set.
        but: a folder, resolved, whose files are left out.
        alone: every picture is a video of one frame, in whatever folder.

    Raises:
        PictureError: no such folder, or nothing in it.
    """
    names = visible_files(src, but=but)
    outermost = (src if src.is_dir() else src.parent).resolve().name
    masks = _masks(names)
    pictures: dict[str, list[PurePosixPath]] = defaultdict(list)
    videos: list[SourceVideo] = []
    problems: list[Problem] = []
    for file in names:
        if file in masks.values():
            continue
        source, *folders = file.parts[:-1] or (outermost,)
        if folders and not alone and named_as_picture(Path(file)):
            pictures["/".join((source, *folders))].append(file)
        else:
            videos.append(_video("/".join((source, *folders, file.stem)), [file], masks))
    for key, files in pictures.items():
        frames: dict[str, PurePosixPath] = {}
        for file in sorted(files, key=lambda file: natural(file.name)):
            first = frames.setdefault(file.stem, file)
            if first != file:
                problems.append(Problem(Severity.ERROR, "place taken", str(file), detail=f"{first.name} is that frame"))
        videos.append(_video(key, list(frames.values()), masks))
    return arranged((with_dataset(video, dataset) for video in videos), problems)


def visible_files(src: Path, *, but: Path | None = None) -> list[PurePosixPath]:
    """Pictures and videos under a folder, or the file itself, as paths under it, sorted; hidden folders are left out.

    Raises:
        PictureError: no such folder, or nothing in it.
    """
    root = src if src.is_dir() else src.parent
    found = [PurePosixPath(file.relative_to(root).as_posix()) for file in media_files(src, but=but)]
    return [file for file in found if not any(part.startswith(".") for part in file.parts)]


def _masks(names: list[PurePosixPath]) -> dict[PurePosixPath, PurePosixPath]:
    """Of each file the one beside it that is called the same, but for `_mask`, and is of the same kind."""
    by_stem = {(file.parent, file.stem, named_as_picture(Path(file))): file for file in names}
    masks = {}
    for file in names:
        mask = by_stem.get((file.parent, file.stem + _MASK, named_as_picture(Path(file))))
        if mask is not None:
            masks[file] = mask
    return masks


def _video(key: str, files: list[PurePosixPath], masks: dict[PurePosixPath, PurePosixPath]) -> SourceVideo:
    found = [masks.get(file) for file in files]
    own = tuple(None if mask is None else str(mask) for mask in found) if any(found) else ()
    return SourceVideo(key, tuple(map(str, files)), own)
