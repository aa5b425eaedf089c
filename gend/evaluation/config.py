"""What an evaluation is told: detectors, sets of crops, and how they are measured (`configs/eval/*.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from gend.data.pair_sources import PairSourceSection
from gend.engines import Device
from gend.engines.choose import AnyEngine, AnyPrecision
from gend.evaluation.corruptions import FILTERS, FilterName
from gend.experiments import Section
from gend.resample import Interpolation

RGB = tuple[float, float, float]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}")
OURS = "gend"
"""Name of the detector that `weights` says."""


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("names begin with a letter or digit and go on with letters, digits, spaces and any of . _ + -")
    return name


Name = Annotated[str, AfterValidator(_named)]
"""Of a set or a detector: it becomes the name of a file, too."""


class GenerateSection(PairSourceSection):
    """Pairs that are drawn, not collected: real crops, and the same with the face re-made (`gend.data.pairs`)."""

    pairs: int = Field(default=200, ge=1, description="Real videos; each comes with its manipulated twin.")
    frames: int = Field(default=4, ge=1, description="Of each video: one face, seen again and again.")
    seed: int = Field(default=5_000_000, ge=0, description="Training draws from small ones.")
    manipulations: tuple[Literal["low-resolution", "self-blended"], ...] = Field(
        default=("low-resolution", "self-blended"), min_length=1, description="In turns."
    )
    side_px: int = Field(default=112, ge=32, le=512, description="Of the crops that are written.")


class SetSection(Section):
    """A set of aligned crops, `<dataset>/<source>/<video>/<frame>.png`, or pairs to be drawn."""

    root: Path | None = Field(default=None, description="Of the tree; null takes the evaluation's.")
    lists: tuple[Path, ...] = Field(
        default=(), description="List files or folders of crops, under `root` or not; none takes the whole tree."
    )
    frames_per_video: int | None = Field(default=None, ge=1, description="Spread evenly; null takes the evaluation's.")
    about: str = Field(default="", description="What the report says of it.")
    selected_on: bool = Field(
        default=False, description="Whether the released GenD checkpoints were chosen by a part of this data set."
    )
    generate: GenerateSection | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.generate is not None and (self.root is not None or self.lists):
            raise ValueError("either generate, or root and lists")
        return self


class TrainedOnSection(Section):
    """Crops that the weights have learnt from: a source video in them and in a test set is refused."""

    root: Path
    lists: tuple[Path, ...] = ()


class _Detector(Section):
    optional: bool = Field(default=False, description="Leave it out, and say so, where its file is missing.")


class GendDetector(_Detector):
    """A detector of ours: other weights, another fine-tune, engine or precision."""

    kind: Literal["gend"] = "gend"
    weights: str = Field(description="demo, a hub id, a folder or file, or WEIGHTS@ENGINE:PRECISION.")
    adapter: Path | None = Field(default=None, description="File of a fine-tune of these weights.")
    engine: AnyEngine = "auto"
    precision: AnyPrecision = "auto"
    device: Device = "auto"
    threads: int | None = Field(default=None, ge=1, description="CPU threads; null takes all cores.")


class _Tensors(_Detector):
    """A network in a file: how it wants crops, and what its answer means."""

    file: Path
    input_px: int = Field(default=224, ge=16, le=1024, description="Side of the square it takes.")
    interpolation: Interpolation = "bicubic"
    mean: RGB = Field(default=(0.485, 0.456, 0.406), description="Of RGB from 0 to 1; ImageNet's.")
    std: RGB = Field(default=(0.229, 0.224, 0.225), description="Likewise.")
    output: Literal["logit", "logits", "probability", "probabilities"] = Field(
        description="What it says of a crop: one number, log-odds of fake or p(fake), or one for each class."
    )
    fake: tuple[int, ...] = Field(
        default=(1,), min_length=1, description="Classes that are fake, from 0; all others are real."
    )
    inverted: bool = Field(default=False, description="The one number speaks of real, not of fake.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if min(self.std) <= 0:
            raise ValueError("std must be above 0")
        if self.inverted and self.output in ("logits", "probabilities"):
            raise ValueError("inverted is for one number; `fake` says which classes are fake")
        return self


class TorchScriptDetector(_Tensors):
    """A TorchScript file. It is run: name only files that you trust."""

    kind: Literal["torchscript"]
    device: Device = "auto"


class OnnxDetector(_Tensors):
    """An ONNX file. One that takes uint8 (B, S, S, 3), as `gend export` writes, gets crops as they are."""

    kind: Literal["onnx"]


class TransformersDetector(Section):
    """An image-classification model of the Hugging Face hub, or a folder of one."""

    kind: Literal["transformers"]
    model: str = Field(description="Hub id or folder.")
    fake: tuple[str, ...] = Field(
        default=(), description="Labels that are fake, all others are real; none: by the words in the labels."
    )
    device: Device = "auto"


AnyDetector = Annotated[
    GendDetector | TorchScriptDetector | OnnxDetector | TransformersDetector, Field(discriminator="kind")
]


class RobustnessSection(Section):
    """How figures change where pictures get worse. An empty list leaves a corruption out."""

    videos: int | None = Field(default=100, ge=2, description="Of each set, of either class; null takes all.")
    frames_per_video: int = Field(default=4, ge=1)
    jpeg: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (100, 90, 80, 70, 60, 50, 40, 30, 20, 10)
    blur: tuple[Annotated[float, Field(gt=0, le=20)], ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0, 2.5, 3.0), description="Sigma of a Gaussian, pixels of a crop 256 pixels wide."
    )
    resize: tuple[Annotated[int, Field(ge=8, le=1024)], ...] = Field(
        default=(224, 112, 64), description="Longest side crops are brought to, pixels."
    )
    interpolations: tuple[FilterName, ...] = FILTERS
    noise: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(0.025, 0.05, 0.1, 0.15, 0.2), description="Standard deviation, of full scale."
    )
    h264: tuple[Annotated[int, Field(ge=0, le=51)], ...] = Field(
        default=(18, 23, 28, 33, 38, 43), description="CRF of a real encoding by x264."
    )


class Evaluation(Section):
    """A whole evaluation."""

    about: str = Field(default="", description="What it is for; listed by `gend test --list`.")
    weights: str | None = Field(
        default="yermandy/GenD_CLIP_L_14",
        description="Our detector: demo, a hub id, a folder or file, or WEIGHTS@ENGINE:PRECISION; null for none.",
    )
    adapter: Path | None = Field(default=None, description="File of a fine-tune of `weights`.")
    engine: AnyEngine = "auto"
    precision: AnyPrecision = "auto"
    device: Device = "auto"
    threads: int | None = Field(default=None, ge=1, description="CPU threads; null takes all cores.")
    beside: Mapping[Name, AnyDetector] = Field(default={}, description="Other detectors, by name; null is none.")
    root: Path = Field(default=Path("crops"), description="Tree of crops of all sets that name no other.")
    sets: Mapping[Name, SetSection] = Field(min_length=1, description="By name; null is none.")
    frames_per_video: int | None = Field(default=32, ge=1, description="Spread evenly; null takes all.")
    trained_on: tuple[TrainedOnSection, ...] = ()
    batch: int = Field(default=32, ge=1, description="Crops that a detector is given at a time.")
    skip_unreadable: bool = Field(
        default=False, description="Leave out pictures that cannot be read, name and count them, and end with 1."
    )
    robustness: RobustnessSection | None = None
    scores: Path | None = Field(
        default=None,
        description="Folder `scores` of an earlier run: measured anew, without opening pictures or detectors.",
    )
    seed: int = Field(default=0, description="Of the bootstrap.")

    @field_validator("beside", "sets", mode="before")
    @classmethod
    def _without_null(cls, named: Any) -> Any:
        """`null` leaves out what a file that is extended has."""
        return {name: each for name, each in named.items() if each is not None} if isinstance(named, dict) else named

    @model_validator(mode="after")
    def _some_detector(self) -> Self:
        if self.weights is None and not self.beside:
            raise ValueError("no detector: say `weights`, or name some `beside`")
        if self.weights is not None and OURS in self.beside:
            raise ValueError(f"beside.{OURS}: this name is that of `weights`")
        for what, names in (("sets", self.sets), ("beside", self.beside)):
            lower = [name.lower() for name in names]  # not every disk tells them apart
            if twice := [name for name in names if lower.count(name.lower()) > 1]:
                raise ValueError(f"{what}: {' and '.join(twice)} differ by upper and lower case alone")
        return self

    @property
    def detectors(self) -> Mapping[str, GendDetector | TorchScriptDetector | OnnxDetector | TransformersDetector]:
        """All of them by name, ours first."""
        if self.weights is None:
            return self.beside
        ours = GendDetector(
            weights=self.weights,
            adapter=self.adapter,
            engine=self.engine,
            precision=self.precision,
            device=self.device,
            threads=self.threads,
        )
        return {OURS: ours, **self.beside}
