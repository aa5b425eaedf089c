"""A test set that anyone can have: pairs that are drawn (`gend.data.pairs`), as a tree of crops with a manifest.

Each video is one face, or something in a face's place, seen again and again through another camera and codec; its
manipulated twin is the same with the face re-made. It shows that a chain works and how well these manipulations are
found. It says nothing about footage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gend.data.crop_files import CropFile
from gend.data.manifest import MANIFEST, CropRecord
from gend.data.pair_sources import pair_sources, source_crops
from gend.data.pairs import Manipulations, Pairs, Sources, draw_pairs
from gend.data.sample import Sample, Source, aligned_landmarks
from gend.errors import PictureError
from gend.evaluation.config import GenerateSection
from gend.whole_files import written_whole

DATASET = "drawn"
REAL_SOURCE = "real"
_DRAWING = 1
"""Counted up with every change of what is drawn: trees of before are not it."""
_MANIPULATIONS = {"low-resolution": Manipulations(), "self-blended": Manipulations(lowres=0, selfblend=1)}


def drawn_pairs(section: GenerateSection, folder: Path, told: Callable[[int, int], None]) -> Path:
    """The root of the tree; what is there already is not drawn again.

    Args:
        section: what to draw.
        folder: the tree lies in it, in a folder named after these settings, and after the crops that pairs are made of.
        told: how many pairs are done, and of how many.

    Raises:
        FetchError: a picture to draw from cannot be fetched.
        PictureError: the tree cannot be written, or crops are missing.
    """
    crops = [] if section.root is None else source_crops(section.root, section.lists)
    root = folder / _name(section, crops)
    if (root / MANIFEST).exists():  # written last
        return root
    sources = pair_sources(section, crops)
    lines: list[str] = []
    try:
        for number in range(section.pairs):
            manipulation = section.manipulations[number % len(section.manipulations)]
            pairs = _drawn(section, sources, manipulation, number)
            lines += [record.line() for record in _written(pairs, root, manipulation, number)]
            told(number + 1, section.pairs)
        with written_whole(root / MANIFEST) as unfinished:
            unfinished.write_text("".join(lines))
    except OSError as error:
        raise PictureError(f"{root}: cannot be written ({error.strerror})") from error
    return root


def _name(section: GenerateSection, crops: Sequence[CropFile]) -> str:
    """Another one for whatever draws other pictures; where crops lie, but not what they are called, is all the same.

    Raises:
        PictureError: a crop cannot be read.
    """
    said = {"drawing": _DRAWING} | section.model_dump(mode="json", exclude={"root", "lists"})
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for crop in crops:  # drawn by their order
        try:
            content = hashlib.sha256(crop.path.read_bytes()).hexdigest()
        except OSError as error:
            raise PictureError(f"{crop.path}: cannot be read ({error.strerror})") from error
        digest.update(f"\n{crop.video_key}/{crop.path.name} {content}".encode())
    return digest.hexdigest()[:12]


class _Again:
    """One picture of a source, however often it is asked."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._drawn: dict[int, Sample] = {}

    def draw(self, rng: np.random.Generator, side: int) -> Sample:
        if side not in self._drawn:
            self._drawn[side] = self._source.draw(rng, side)
        return self._drawn[side]


def _drawn(section: GenerateSection, sources: Sources, manipulation: str, number: int) -> Pairs:
    """The frames of one pair, the same whatever others are drawn."""
    rng = np.random.default_rng((section.seed, number))
    chosen = int(rng.choice(len(sources.sources), p=sources.shares))
    again = Sources((_Again(sources.sources[chosen]),), (1.0,), (sources.names[chosen],))
    return draw_pairs(rng, again, section.frames, section.side_px, _MANIPULATIONS[manipulation])


def _written(pairs: Pairs, root: Path, manipulation: str, number: int) -> Iterator[CropRecord]:
    for source, pictures in ((REAL_SOURCE, pairs.real), (manipulation, pairs.fake)):
        folder = root / DATASET / source / f"{number:05}"
        folder.mkdir(parents=True, exist_ok=True)
        for frame, picture in enumerate(pictures):
            path = folder / f"{frame:03}.png"
            Image.fromarray(picture).save(path)
            yield _record(path, root, picture.shape[0])


def _record(path: Path, root: Path, side: int) -> CropRecord:
    source, number = path.parts[-3:-1]
    return CropRecord(
        crop=path.relative_to(root).as_posix(),
        crop_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        file=f"{source}/{number}",
        file_sha256=hashlib.sha256(f"{root.name} {source} {number}".encode()).hexdigest(),  # there is no file
        frame=int(path.stem),
        at_s=0.0,
        pair=None if source == REAL_SOURCE else f"{DATASET}/{REAL_SOURCE}/{number}",
        box=(0.0, 0.0, float(side), float(side)),
        landmarks=tuple((float(x), float(y)) for x, y in aligned_landmarks(side)),
        confidence=1.0,
        detector="drawn",
    )
