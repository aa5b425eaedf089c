"""The sets of an evaluation: which crops, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gend.data.crop_files import CropFile
from gend.data.manifest import CropRecord, read_manifest
from gend.data.overlap import Origin, origins, refuse_shared
from gend.data.pair_sources import source_crops
from gend.data.selection import by_video, listed_crops, spread, spread_frames
from gend.errors import PictureError
from gend.evaluation.config import Evaluation, SetSection, TrainedOnSection
from gend.evaluation.generated import drawn_pairs
from gend.evaluation.under_way import UnderWay


@dataclass(frozen=True, slots=True)
class CropSet:
    """The crops of one set."""

    name: str
    root: Path
    crops: Sequence[CropFile]
    pairs: dict[str, str] = field(default_factory=dict)
    """Of a manipulated video's key: the key of the real one it was made from, where that is known."""
    origins: Sequence[Origin] = ()
    """Of its videos, and of those that its pairs are made of."""

    def group_of(self, crop: CropFile) -> str:
        """What is drawn together in a bootstrap: a real video, and those made from it."""
        return self.pairs.get(crop.video_key, crop.video_key)

    def some(self, videos: int | None, frames_per_video: int) -> CropSet:
        """A part of it, spread evenly: so many videos of either class, so many frames of each."""
        crops: list[CropFile] = []
        for label in (0, 1):
            found = by_video(crop for crop in self.crops if crop.label == label)
            for key in spread(sorted(found), videos):
                crops += spread(found[key], frames_per_video)
        return CropSet(self.name, self.root, crops, self.pairs)


def find_sets(config: Evaluation, folder: Path, under_way: UnderWay) -> list[CropSet]:
    """The sets, drawn where they are to be.

    Args:
        config: says which.
        folder: where drawn ones are kept.
        under_way: shows a set while it is drawn.

    Raises:
        PictureError: sets are missing or empty, or paths in their lists are; all of them are named.
        ConfigError: a source video is in `trained_on` as well.
        FetchError: a picture to draw from cannot be fetched.
    """
    found: list[CropSet] = []
    manifests: dict[Path, list[CropRecord]] = {}
    faults: list[str] = []
    for name, section in config.sets.items():
        try:
            root = _root(name, section, config, folder, under_way)
            found.append(_found(name, section, config, root, manifests))
        except PictureError as error:
            faults += [f"sets.{name}: {line}" for line in str(error).splitlines()]
    learnt: list[Origin] = []
    for number, part in enumerate(config.trained_on):
        try:
            learnt += training_crops(part)
        except PictureError as error:
            faults += [f"trained_on.{number}: {line}" for line in str(error).splitlines()]
    if faults:
        raise PictureError("\n".join(faults))
    check_sets(found, learnt)
    return found


def check_sets(sets: Sequence[CropSet], learnt: Sequence[Origin]) -> None:
    """Refuses sets that share source videos with what was learnt from.

    Raises:
        ConfigError: one does; its videos are named.
    """
    if learnt:
        for each in sets:
            refuse_shared(learnt, each.origins, f"sets.{each.name}")


def training_crops(section: TrainedOnSection) -> list[Origin]:
    """Where the crops of a training come from.

    Raises:
        PictureError: they are not here.
    """
    root = section.root.expanduser()
    return origins(root, listed_crops(root, section.lists))


def _root(name: str, section: SetSection, config: Evaluation, folder: Path, under_way: UnderWay) -> Path:
    """The root of a set's tree, which is drawn where it is to be."""
    if section.generate is None:
        return (section.root or config.root).expanduser()
    with under_way(f"drawing {name}") as told:
        return drawn_pairs(section.generate, folder / name, told)


def _found(
    name: str, section: SetSection, config: Evaluation, root: Path, manifests: dict[Path, list[CropRecord]]
) -> CropSet:
    most = section.frames_per_video or config.frames_per_video
    crops = spread_frames(listed_crops(root, section.lists), most)
    if root not in manifests:  # of many sets in one tree it is large, and always the same
        manifests[root] = read_manifest(root)
    known = origins(root, crops, manifests[root])
    pairs = {origin.video_key: origin.pair for origin in known if origin.pair is not None}
    if section.generate is not None and section.generate.root is not None:
        made_of = section.generate.root.expanduser()
        known += origins(made_of, source_crops(made_of, section.generate.lists))
    return CropSet(name, root, crops, pairs, known)
