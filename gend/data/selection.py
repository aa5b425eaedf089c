"""Which crops of a tree are meant, and which of them belong together: what training and evaluation alike must know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from gend.data.crop_files import REAL, CropFile, find_crops, read_lists
from gend.errors import PictureError

T = TypeVar("T")


def listed_crops(root: Path, lists: Sequence[Path]) -> list[CropFile]:
    """The crops of a tree.

    Args:
        root: of the tree.
        lists: list files or folders of crops, under the root or not; none takes the whole tree.

    Raises:
        PictureError: the tree is missing or empty, or lists or paths in them are, all of which are named.
    """
    if not lists:
        return find_crops(root)
    if not root.is_dir():
        raise PictureError(f"{root}: no such folder")
    places = [root / each if (root / each).exists() else each for each in lists]
    missing = [root / each for each, place in zip(lists, places, strict=True) if not place.exists()]
    if missing:
        raise PictureError("\n".join(f"{path}: no such list or folder" for path in missing))
    crops = read_lists(root, places)
    if not crops:
        raise PictureError(f"{', '.join(map(str, lists))}: no crops are named")
    return crops


def by_video(crops: Iterable[CropFile]) -> dict[str, list[CropFile]]:
    """The crops of each video, by its `dataset/source/video`, in time."""
    videos: dict[str, list[CropFile]] = {}
    for crop in crops:
        videos.setdefault(crop.video_key, []).append(crop)
    for frames in videos.values():
        frames.sort(key=_in_time)
    return videos


def spread(items: Sequence[T], most: int | None) -> Sequence[T]:
    """At most so many of them, evenly, first and last included; all of them for None."""
    if most is None or len(items) <= most:
        return items
    return [items[number] for number in np.linspace(0, len(items) - 1, most).round().astype(int)]


def spread_frames(crops: Sequence[CropFile], most: int | None) -> list[CropFile]:
    """At most so many crops of each video, spread evenly over it; all of them for None."""
    if most is None:
        return list(crops)
    return [crop for frames in by_video(crops).values() for crop in spread(frames, most)]


def known_pairs(crops: Sequence[CropFile], said: Mapping[str, str]) -> dict[str, str]:
    """Which real video each manipulated one was made from, both as `dataset/source/video`.

    What a manifest says counts. For the rest names tell, as data sets of this field choose them: a manipulated video
    belongs to the real one of its dataset that is called the same, or as its name up to the first `_` (FF++'s
    `071_054` is `071` with the face of `054`). Where several are called so, nobody knows.

    Args:
        crops: of both labels.
        said: what a manifest says, likewise.
    """
    real: dict[tuple[str, str], set[str]] = defaultdict(set)
    for crop in crops:
        if crop.label == REAL:
            real[crop.dataset, crop.video].add(crop.video_key)
    found: dict[str, str] = {}
    for crop in crops:
        if crop.label == REAL or crop.video_key in found:
            continue
        if crop.video_key in said:
            found[crop.video_key] = said[crop.video_key]
            continue
        for name in (crop.video, crop.video.partition("_")[0]):
            candidates = real[crop.dataset, name]
            if len(candidates) == 1:
                found[crop.video_key] = next(iter(candidates))
                break
    return found


def _in_time(crop: CropFile) -> tuple[int, str]:
    """Frames by number, also where they have no zeros in front."""
    return len(crop.path.stem), crop.path.stem
