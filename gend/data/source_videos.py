"""What there is to prepare: each video of the tree of crops to be, and the files it is cut from.

A `Plan` is made before anything is decoded, by `gend.data.folder_tree` or from a layout, and is the same each time it
is made of the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath

from gend.data.crop_files import CropFile
from gend.errors import ConfigError

TAKEN_NAMES = ("lists", "skipped")
"""Folders of a tree of crops that hold something else; no data set can be called so."""


class Severity(StrEnum):
    """What a problem means for the result."""

    ERROR = "error"
    """A file that should have been prepared was not."""
    SKIPPED = "skipped"
    """A file or frame that has nothing to give."""
    NOTICE = "notice"
    """Nothing was left out, but somebody may want to know."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that did not go as it might be expected."""

    severity: Severity
    kind: str
    """In a few words, the same for all of its kind: `no face`."""
    file: str
    """A path under the folder that is prepared, with `/`."""
    frame: int | None = None
    """Of a video, from 0; None where it is about the whole file."""
    detail: str = ""

    def __str__(self) -> str:
        where = self.file if self.frame is None else f"{self.file}: frame {self.frame}"
        return f"{where}: {self.kind}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """One video of the tree to be. Files are paths under the folder that is prepared, with `/`."""

    key: str
    """`dataset/source/video`: the folder of its crops."""
    files: tuple[str, ...]
    """One video or picture, or the pictures that are its frames, in their order."""
    masks: tuple[str | None, ...] = ()
    """Of each file, what shows where it was manipulated; empty where nobody knows."""
    pair: str | None = None
    """For a manipulated video: the key of the real one it was made from, where that is known."""
    split: str | None = None
    """`train`, `val`, `test`, where the data set says so."""

    @property
    def source(self) -> str:
        """`real-youtube`."""
        return self.key.split("/")[1]

    @property
    def label(self) -> int:
        """0 real, 1 fake, as its place will say."""
        return source_label(self.source)

    @property
    def all_files(self) -> tuple[str, ...]:
        """All that the crops depend on."""
        return (*self.files, *(mask for mask in self.masks if mask is not None))


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be prepared, and what will not."""

    videos: tuple[SourceVideo, ...]
    """By key; no two of them in one place."""
    problems: tuple[Problem, ...]


class Places:
    """Which folders of a tree are taken: none may lie in another, and none may be shared."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}
        self._above: dict[str, str] = {}

    def claim(self, video: SourceVideo) -> Problem | None:
        """Takes the folder of a video, or says why it cannot be had."""
        above = [str(parent) for parent in PurePosixPath(video.key).parents][:-1]
        around = (self._taken[folder] for folder in above if folder in self._taken)
        other = self._taken.get(video.key) or self._above.get(video.key) or next(around, None)
        if other is not None:
            detail = f"{other} is prepared in {video.key}; rename one of them"
            return Problem(Severity.ERROR, "place taken", video.files[0], detail=detail)
        fault = _unfit(video.key)
        if fault is not None:
            return Problem(Severity.ERROR, "unfit name", video.files[0], detail=fault)
        self._taken[video.key] = video.files[0]
        self._above |= dict.fromkeys(above, video.files[0])
        return None


def arranged(
    videos: Iterable[SourceVideo], problems: Iterable[Problem] = (), *, before: Iterable[SourceVideo] = ()
) -> Plan:
    """A plan without videos that would land in one place, or in one that no list can name.

    Of two the one whose file's name comes first is taken.

    Args:
        videos: those that are wanted.
        problems: found so far.
        before: their places are taken already.
    """
    places = Places()
    for video in before:
        places.claim(video)
    found, kept = list(problems), []
    for video in sorted(videos, key=lambda video: (video.files[0], video.key)):
        problem = places.claim(video)
        if problem is None:
            kept.append(video)
        else:
            found.append(problem)
    return Plan(tuple(sorted(kept, key=lambda video: video.key)), tuple(found))


def without_partner(videos: Iterable[SourceVideo]) -> list[Problem]:
    """A notice for each video whose real one is not among them."""
    videos = list(videos)
    keys = {video.key for video in videos}
    return [
        Problem(Severity.NOTICE, "no partner", video.files[0], detail=f"{video.pair} is not here")
        for video in videos
        if video.pair is not None and video.pair not in keys
    ]


def with_dataset(video: SourceVideo, dataset: str) -> SourceVideo:
    """The same video in another data set. Its key and pair begin with the source."""
    pair = None if video.pair is None else f"{dataset}/{video.pair}"
    return replace(video, key=f"{dataset}/{video.key}", pair=pair)


def source_label(source: str) -> int:
    """0 real, 1 fake: what the name of a source says."""
    return CropFile("", source, "", Path()).label


def check_dataset(name: str) -> str:
    """The name, if a data set can be called so.

    Raises:
        ConfigError: it cannot.
    """
    fault = "that folder holds something else" if name in TAKEN_NAMES else _unfit(name)
    if fault is None and ("/" in name or "\\" in name or not name.strip() or name.strip() != name or name[0] == "#"):
        fault = "expected the name of a folder"
    if fault is not None:
        raise ConfigError(f"data set {name!r}: {fault}; choose another name by --dataset")
    return name


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts `frame10` behind `frame9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _unfit(key: str) -> str | None:
    """Why no list of crops could name it: a list is lines of UTF-8, and hidden folders are not looked into."""
    if len(key.splitlines()) > 1 or "\0" in key:
        return "its name holds a line break"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if any(part.startswith(".") or not part for part in key.split("/")):
        return f"{key} is empty in places, or hidden"
    return None
