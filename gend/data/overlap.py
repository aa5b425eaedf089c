"""Whether two sets of crops share a source video, which would make a test of a training a test of memory.

A video is known again by its place (`dataset/source/video`) and, where a manifest says so, by the hash of its file,
whatever that is called. A manipulated video and the real one it was made from are one source; where no manifest says
which that is, names tell (`gend.data.selection.known_pairs`), also where one of the two is in the other set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gend.data.crop_files import FAKE, CropFile
from gend.data.manifest import CropRecord, read_manifest
from gend.data.selection import known_pairs
from gend.errors import ConfigError

_MOST_NAMED = 20
_FFPP_NAME = re.compile(r"(\d{3})_\d{3}")
"""`071_054` is `071` with the face of `054`, as FaceForensics++ and what builds on it name manipulated videos."""


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A video, as it is known again."""

    video_key: str
    """`dataset/source/video`."""
    file_sha256: str | None = None
    """Of its file; None without a manifest."""
    pair: str | None = None
    """`dataset/source/video` of the real video it was made from, where that is known."""


@dataclass(frozen=True, slots=True)
class SharedSource:
    """A video of the test, and one of the training that is the same, or has the same source."""

    test: str
    train: str
    why: str

    def __str__(self) -> str:
        return f"{self.test} ({self.why})"


def origins(root: Path, crops: Iterable[CropFile], manifest: Sequence[CropRecord] | None = None) -> list[Origin]:
    """Where crops of a tree come from, each video once per file.

    Args:
        root: of the tree.
        crops: some of it.
        manifest: of the tree, for those who ask more than once; None reads it.

    Raises:
        PictureError: the tree's manifest cannot be read.
    """
    videos = {crop.video_key: crop for crop in crops}
    files: dict[str, set[str]] = {}
    said: dict[str, str] = {}
    for record in read_manifest(root) if manifest is None else manifest:
        if record.video_key in videos:
            files.setdefault(record.video_key, set()).add(record.file_sha256)
            if record.pair is not None:
                said[record.video_key] = record.pair
    pairs = said | known_pairs(list(videos.values()), said)
    found = {Origin(key, sha256, pairs.get(key)) for key in videos for sha256 in files.get(key, {None})}
    return sorted(found, key=_order)


def shared_sources(train: Iterable[Origin], test: Iterable[Origin]) -> list[SharedSource]:
    """The videos of the test whose source is in the training, in the order of the test."""
    train, test = _paired(list(train), list(test))
    files: dict[str, str] = {}
    videos: dict[str, str] = {}
    for origin in train:
        if origin.file_sha256 is not None:
            files.setdefault(origin.file_sha256, origin.video_key)
        for key in _videos(origin):
            videos.setdefault(key, origin.video_key)
    found: dict[str, SharedSource] = {}
    for origin in test:
        shared = _shared(origin, files, videos)
        if shared is not None:
            found.setdefault(origin.video_key, shared)
    return list(found.values())


def refuse_shared(train: Sequence[Origin], test: Sequence[Origin], what: str) -> None:
    """Refuses a test of what was trained on.

    Args:
        train: what is learnt from.
        test: what is to be judged.
        what: name of the test set, for the error.

    Raises:
        ConfigError: they share source videos, which are named.
    """
    shared = shared_sources(train, test)
    if not shared:
        return
    named = "\n".join(f"{what}: {each}" for each in shared[:_MOST_NAMED])
    rest = f"\n… and {len(shared) - _MOST_NAMED} more" if len(shared) > _MOST_NAMED else ""
    raise ConfigError(f"{what}: {len(shared)} source videos are in the training data as well\n{named}{rest}")


def _paired(train: Sequence[Origin], test: Sequence[Origin]) -> tuple[list[Origin], list[Origin]]:
    """Both, with the real videos of manipulated ones that only both together tell."""
    said = {origin.video_key: origin.pair for origin in (*train, *test) if origin.pair is not None}
    keys = {origin.video_key for origin in (*train, *test)}
    pairs = known_pairs([_video(key) for key in sorted(keys | set(said.values()))], said)
    return [_with_pair(origin, pairs) for origin in train], [_with_pair(origin, pairs) for origin in test]


def _with_pair(origin: Origin, pairs: Mapping[str, str]) -> Origin:
    if origin.pair is not None:
        return origin
    pair, video = pairs.get(origin.video_key), _video(origin.video_key)
    if pair is None and video.label == FAKE and (name := _FFPP_NAME.fullmatch(video.video)):
        pair = f"{video.dataset}/*/{name[1]}"  # nobody has it, and yet all that is made of it has one source
    return replace(origin, pair=pair)


def _video(key: str) -> CropFile:
    """A video by its key, which says all but where its crops lie; anybody may write a manifest."""
    dataset, source, video = [*key.split("/", 2), "", ""][:3]
    return CropFile(dataset, source, video, Path(key))


def _shared(origin: Origin, files: dict[str, str], videos: dict[str, str]) -> SharedSource | None:
    if origin.file_sha256 in files:
        train = files[origin.file_sha256]
        return SharedSource(origin.video_key, train, f"the same file as {train}, which was trained on")
    if origin.video_key in videos:
        train = videos[origin.video_key]
        why = "trained on" if train == origin.video_key else f"{train}, which was trained on, is made from it"
        return SharedSource(origin.video_key, train, why)
    if origin.pair in videos:
        train = videos[origin.pair]
        if train == origin.pair:
            why = f"made from {train}, which was trained on"
        else:
            why = f"made from {origin.pair}, as is {train}, which was trained on"
        return SharedSource(origin.video_key, train, why)
    return None


def _videos(origin: Origin) -> Iterable[str]:
    return (origin.video_key,) if origin.pair is None else (origin.video_key, origin.pair)


def _order(origin: Origin) -> tuple[str, str, str]:
    return origin.video_key, origin.file_sha256 or "", origin.pair or ""
