"""What is learnt from, item by item: pairs of crops on disk, crops shuffled, or pairs that are made.

An item is a function of the set, the epoch and its number alone: whatever is random about it comes from a generator
seeded by these. So a training that is resumed sees what it would have seen, whoever reads the pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gend.data.crop_files import FAKE, REAL, CropFile
from gend.data.pairs import Manipulations, Sources, draw_pairs
from gend.errors import PictureError
from gend.media import picture_at
from gend.preprocess import encoder_input
from gend.resample import Interpolation
from gend.training.config import AugmentationSection
from gend.training.picture_augmentation import vary_pair, vary_pictures

Pixels = NDArray[np.uint8]

_SHEET = 8
"""Generated pairs drawn at a time: they share a size and a codec."""
ALONE = -1
"""The pair of a crop that belongs to none."""


class Example(NamedTuple):
    """Some crops that are learnt from together. Axes: n crops, S side of the encoder's input."""

    crops: Pixels
    """RGB uint8 (n, S, S, 3)."""
    labels: NDArray[np.int64]
    """0 real, 1 fake, (n,)."""
    pair: NDArray[np.int64]
    """Which pair each belongs to, (n,); `ALONE` for none."""
    changed: Pixels | None
    """How much of each pixel is manipulated, of 255, (n, S, S); None where nobody knows."""


@dataclass(frozen=True, slots=True)
class View:
    """How the encoder wants to see crops."""

    input_px: int
    interpolation: Interpolation


class SampleSet(Protocol):
    """A set to learn from."""

    crops_per_item: int

    def __len__(self) -> int:
        """Items of an epoch."""

    def draw(self, epoch: int, item: int) -> Example:
        """One item.

        Raises:
            PictureError: a crop cannot be read.
        """


class CropPairs:
    """Crops on disk, each manipulated one with a real one of the video it was made from.

    Every manipulated crop comes once an epoch, its partner is the real frame of the same name, or else one of the
    real video at random. A manipulated video whose real one is not known, or not in the set, is paired with any real
    crop of its dataset, and so is a real video that nobody manipulated.

    Args:
        crops: of both labels.
        pairs: `dataset/source/video` of manipulated videos → that of the real ones.
        view: what comes out.
        augmentation: what varies pictures.
        seed: of everything random.

    Raises:
        PictureError: one of the labels is missing.
    """

    crops_per_item = 2

    def __init__(
        self,
        crops: Sequence[CropFile],
        pairs: Mapping[str, str],
        view: View,
        augmentation: AugmentationSection,
        seed: int,
    ) -> None:
        _check_labels(crops)
        self._view, self._augmentation, self._seed = view, augmentation, seed
        by_video: dict[str, list[CropFile]] = defaultdict(list)
        by_dataset: dict[tuple[str, int], list[CropFile]] = defaultdict(list)
        by_label: dict[int, list[CropFile]] = defaultdict(list)
        for crop in crops:
            by_video[crop.video_key].append(crop)
            by_dataset[crop.dataset, crop.label].append(crop)
            by_label[crop.label].append(crop)
        fakes = by_label[FAKE]
        known = {video: real for video, real in pairs.items() if video in by_video and real in by_video}
        paired = set(known.values())
        lonely = [crop for crop in by_label[REAL] if crop.video_key not in paired]
        self.unpaired_videos = len({crop.video_key for crop in fakes} - known.keys())
        """Manipulated videos whose real one is not known."""

        def others(crop: CropFile) -> list[CropFile]:
            label = REAL if crop.label == FAKE else FAKE
            return by_dataset.get((crop.dataset, label)) or by_label[label]

        by_frame = {(crop.video_key, crop.path.stem): crop for crop in by_label[REAL]}

        def partners(fake: CropFile) -> list[CropFile]:
            video = known.get(fake.video_key)
            if video is None:
                return others(fake)
            same_frame = by_frame.get((video, fake.path.stem))
            return by_video[video] if same_frame is None else [same_frame]

        self._items = [*((crop, partners(crop)) for crop in fakes), *((crop, others(crop)) for crop in lonely)]

    def __len__(self) -> int:
        return len(self._items)

    def draw(self, epoch: int, item: int) -> Example:
        """A real and a manipulated crop, in this order."""
        rng = np.random.default_rng((self._seed, epoch, item))
        crop, partners = self._items[item]
        partner = partners[rng.integers(len(partners))]
        members = (partner, crop) if crop.label == FAKE else (crop, partner)
        pixels = vary_pictures(rng, [picture_at(member.path) for member in members], self._augmentation)
        return Example(_seen(pixels, self._view), np.array([REAL, FAKE]), np.zeros(2, np.int64), None)


class ShuffledCrops:
    """Crops on disk, each once an epoch and by itself. Arguments and errors as of `CropPairs`."""

    crops_per_item = 1

    def __init__(self, crops: Sequence[CropFile], view: View, augmentation: AugmentationSection, seed: int) -> None:
        _check_labels(crops)
        self._crops, self._view, self._augmentation, self._seed = list(crops), view, augmentation, seed

    def __len__(self) -> int:
        return len(self._crops)

    def draw(self, epoch: int, item: int) -> Example:
        """One crop."""
        rng = np.random.default_rng((self._seed, epoch, item))
        crop = self._crops[item]
        pixels = vary_pictures(rng, [picture_at(crop.path)], self._augmentation)
        return Example(_seen(pixels, self._view), np.array([crop.label]), np.array([ALONE]), None)


class GeneratedPairs:
    """Pairs that are made when they are asked for, other ones in each epoch.

    Args:
        sources: of real pictures.
        manipulations: what is done to them, and how often.
        pairs: of an epoch; rounded up to whole items of eight.
        input_px: side of the encoder's input.
        augmentation: what varies them after they are made.
        seed: of everything random.
    """

    crops_per_item = 2 * _SHEET

    def __init__(  # noqa: PLR0917  (all of them say what is made)
        self,
        sources: Sources,
        manipulations: Manipulations,
        pairs: int,
        input_px: int,
        augmentation: AugmentationSection,
        seed: int,
    ) -> None:
        self._sources, self._manipulations, self._input_px = sources, manipulations, input_px
        self._items, self._augmentation, self._seed = -(-pairs // _SHEET), augmentation, seed

    def __len__(self) -> int:
        return self._items

    def draw(self, epoch: int, item: int) -> Example:
        """Eight real crops, then the same manipulated."""
        rng = np.random.default_rng((self._seed, epoch, item))
        pairs = draw_pairs(rng, self._sources, _SHEET, self._input_px, self._manipulations)
        varied = [
            vary_pair(rng, real, fake, changed, self._augmentation)
            for real, fake, changed in zip(pairs.real, pairs.fake, pairs.remade, strict=True)
        ]
        real, fake, changed = (np.stack(parts) for parts in zip(*varied, strict=True))
        return Example(
            np.concatenate([real, fake]),
            np.repeat([REAL, FAKE], _SHEET),
            np.tile(np.arange(_SHEET), 2),
            np.concatenate([np.zeros_like(changed), changed]),
        )


def read_crop(crop: CropFile, view: View) -> Pixels:
    """A crop as the encoder sees it where nothing varies it, RGB uint8 (S, S, 3). Raises as `SampleSet.draw`."""
    return encoder_input(picture_at(crop.path), view.input_px, interpolation=view.interpolation)


def _seen(pictures: Sequence[Pixels], view: View) -> Pixels:
    return np.stack([encoder_input(picture, view.input_px, interpolation=view.interpolation) for picture in pictures])


def _check_labels(crops: Sequence[CropFile]) -> None:
    for label, name in ((REAL, "real"), (FAKE, "manipulated")):
        if not any(crop.label == label for crop in crops):
            raise PictureError(f"no {name} crops to learn from (sources whose name contains `real` are real)")
