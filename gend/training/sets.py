"""From what a configuration says of data to sets of samples, checked before anything is learnt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)

from gend.data.crop_files import FAKE, REAL, CropFile
from gend.data.manifest import CropRecord, read_manifest
from gend.data.overlap import origins, refuse_shared
from gend.data.pair_sources import pair_sources
from gend.data.pairs import Manipulations
from gend.data.selection import known_pairs, listed_crops, spread_frames
from gend.errors import ConfigError
from gend.tensor_files import sha256
from gend.training.config import UNVARIED, AugmentationSection, GenerateSection, TrainingConfig
from gend.training.loader import JudgingLoader, TrainingLoader, crops_to_judge, pairs_to_judge
from gend.training.samples import (
    CropPairs,
    GeneratedPairs,
    SampleSet,
    ShuffledCrops,
    View,
)

_VALIDATION_SEED = 1_000_000
"""Added to the seed of generated validations, so that they share no pair with what is learnt."""


@dataclass(frozen=True, slots=True)
class CropTree:
    """Some crops of a tree, and what its manifest says of them."""

    root: Path
    crops: Sequence[CropFile]
    manifest: Sequence[CropRecord]
    """Of the whole tree."""

    @classmethod
    def read(cls, root: Path, lists: Sequence[Path], frames_per_video: int | None) -> CropTree:
        """Raises `PictureError` where crops or lists are missing or a manifest is damaged."""
        root = root.expanduser()
        return cls(root, spread_frames(listed_crops(root, lists), frames_per_video), read_manifest(root))

    @property
    def pairs(self) -> dict[str, str]:
        """Manipulated video → the real one it was made from, as `known_pairs`."""
        said = {record.video_key: record.pair for record in self.manifest if record.pair is not None}
        return known_pairs(self.crops, said)

    def sha256(self) -> str:
        """Of names and contents of all crops, wherever they lie: any other data has another."""
        digest = hashlib.sha256()
        for crop in sorted(self.crops):
            digest.update(f"{crop.video_key}/{crop.path.name} {sha256([crop.path])}\n".encode())
        return digest.hexdigest()


def read_trees(config: TrainingConfig) -> dict[str, CropTree]:
    """The trees that sets are read from or made of, `train` or `validation` or both, checked.

    That is done long before any weights are fetched.

    Raises:
        PictureError: crops are missing.
        ConfigError: both sets share a source video, or the validation has one label only.
    """
    sections = {"train": config.data.train, "validation": config.data.validation}
    trees: dict[str, CropTree] = {}
    for name, section in sections.items():
        made_of = section.generate or section
        if made_of.root is not None:
            trees[name] = CropTree.read(made_of.root, made_of.lists, section.frames_per_video)
    if config.data.validation.root is not None:
        labels = {crop.label for crop in trees["validation"].crops}
        if len(labels) < 2:
            what = "manipulated" if labels == {REAL} else "real"
            raise ConfigError(f"data.validation: has no {what} crops; without them nothing can be said")
    if len(trees) == 2:
        learnt, judging = (origins(tree.root, tree.crops, tree.manifest) for tree in trees.values())
        refuse_shared(learnt, judging, "data.validation")
    return trees


class TrainingSets(L.LightningDataModule):
    """What is learnt from, and what tells how well.

    Args:
        config: of the training.
        trees: as `read_trees` gives them.
        view: what the encoder sees.

    Raises:
        PictureError: one of the labels is missing.
        FetchError: a picture to make pairs of cannot be fetched.
    """

    def __init__(self, config: TrainingConfig, trees: Mapping[str, CropTree], view: View) -> None:
        super().__init__()
        self._config, self._trees, self._view = config, trees, view
        self._loaded: TrainingLoader | None = None
        self._handed_out = 0
        self.samples = self._training_set()

    def batches(self) -> int:
        """Of one epoch and process."""
        return len(self._loader(self._config.run.devices))

    def summary(self) -> list[str]:
        """Of both sets, for people, a line each."""
        lines = []
        for name, section in (("learns from", self._config.data.train), ("judged by", self._config.data.validation)):
            tree = self._trees.get("train" if name == "learns from" else "validation")
            if section.generate is not None:
                made_of = "" if tree is None else f", made of {len(tree.crops):,} crops"
                each = " an epoch" if name == "learns from" else ""
                lines.append(f"{name} {section.generate.pairs:,} generated pairs{each}{made_of}")
                continue
            assert tree is not None
            counts = {label: sum(crop.label == label for crop in tree.crops) for label in (REAL, FAKE)}
            videos = len({crop.video_key for crop in tree.crops})
            lines.append(
                f"{name} {len(tree.crops):,} crops of {videos:,} videos: {counts[REAL]:,} real, {counts[FAKE]:,} fake"
            )
        if isinstance(self.samples, CropPairs) and self.samples.unpaired_videos:
            lines.append(f"{self.samples.unpaired_videos:,} manipulated videos have no known real one here")
        return lines

    def sha256(self) -> str:
        """Of all that is learnt from."""
        tree = self._trees["train"].sha256() if "train" in self._trees else ""
        made = self._config.data.train.generate
        if made is None:
            return tree
        said = json.dumps(made.model_dump(mode="json", exclude={"root", "lists"}), sort_keys=True)
        return hashlib.sha256(f"{said} {tree}".encode()).hexdigest()

    def train_dataloader(self) -> TrainingLoader:
        """Of this process."""
        assert self.trainer is not None
        self._loaded = self._loader(self.trainer.world_size, self.trainer.global_rank)
        return self._loaded

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: where in the data it was saved."""
        return {"batches": 0 if self._loaded is None else self._loaded.handed_out}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Where to go on."""
        self._handed_out = int(state_dict["batches"])

    def val_dataloader(self) -> JudgingLoader:
        """Of this process."""
        assert self.trainer is not None
        config, rank, ranks = self._config, self.trainer.global_rank, self.trainer.world_size
        size, workers = config.run.batch_size, config.data.workers
        if config.data.validation.root is not None:
            crops = self._trees["validation"].crops
            loaded = crops_to_judge(crops, self._view, size, workers=workers, rank=rank, ranks=ranks)
            return JudgingLoader(loaded, config.data.unreadable)
        assert config.data.validation.generate is not None
        samples = self._generated("validation", config.data.validation.generate, UNVARIED, _VALIDATION_SEED)
        loaded = pairs_to_judge(samples, size, workers=workers, rank=rank, ranks=ranks)
        return JudgingLoader(loaded, config.data.unreadable)

    def _loader(self, ranks: int, rank: int = 0) -> TrainingLoader:
        config = self._config
        return TrainingLoader(
            self.samples,
            config.run.batch_size,
            config.seed,
            workers=config.data.workers,
            rank=rank,
            ranks=ranks,
            unreadable=config.data.unreadable,
            handed_out=self._handed_out,
        )

    def _training_set(self) -> SampleSet:
        config = self._config
        if config.data.train.generate is not None:
            return self._generated("train", config.data.train.generate, config.augmentation, config.seed)
        tree = self._trees["train"]
        if config.data.pairing:
            return CropPairs(tree.crops, tree.pairs, self._view, config.augmentation, config.seed)
        return ShuffledCrops(tree.crops, self._view, config.augmentation, config.seed)

    def _generated(
        self, name: str, section: GenerateSection, augmentation: AugmentationSection, seed: int
    ) -> GeneratedPairs:
        sources = pair_sources(section, () if section.root is None else self._trees[name].crops)
        manipulations = Manipulations(lowres=section.lowres, selfblend=section.selfblend)
        return GeneratedPairs(
            sources, manipulations, section.pairs, self._view.input_px, augmentation, section.seed + seed
        )
