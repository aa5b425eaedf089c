"""What a training is told: one section per part of it, read from `configs/train/*.yaml` (see `gend.experiments`).

Defaults are the recipe of GenD's paper (arXiv 2508.06248): LN-tuning of CLIP ViT-L/14 with cross-entropy, uniformity
and alignment, on batches of real and manipulated crops of one source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gend.backbones import BACKBONES
from gend.data.pair_sources import PairSourceSection
from gend.experiments import Section

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
TuningKind = Literal["norms", "frozen", "lora", "full"]


class LoRASection(Section):
    """Low-rank additions to the encoder's linear layers (Hu et al. 2022), by peft."""

    rank: int = Field(default=8, ge=1, description="Of each addition.")
    alpha: float = Field(default=16, gt=0, description="Additions are scaled by alpha / rank.")
    dropout: Share = Field(default=0.0, description="Of what goes into an addition.")
    rslora: bool = Field(default=False, description="Scale by alpha / sqrt(rank) (Kalajdzievski 2023).")
    dora: bool = Field(default=False, description="Direction and length apart (Liu et al. 2024).")
    modules: tuple[Literal["query", "key", "value", "out", "fc1", "fc2"], ...] = Field(
        default=("query", "value"), min_length=1, description="Linear layers that get one."
    )
    norms: bool = Field(default=False, description="Train the LayerNorms as well.")


class ModelSection(Section):
    """Where training starts, and what of it learns."""

    encoder: str | None = Field(
        default=None,
        description="An encoder alone, its head starts anew: a name of gend.backbones, a hub id, a folder or a file.",
    )
    detector: str | None = Field(default=None, description="A detector to go on from, as `gend score --weights`.")
    fresh: str | None = Field(default=None, description="A name of gend.backbones, with random weights.")
    head: Literal["LinearNorm", "linear"] = Field(
        default="LinearNorm", description="LinearNorm puts features on the unit sphere. A detector keeps its own."
    )
    head_std: float | None = Field(
        default=None, gt=0, description="Spread of the head's first weights; null is 1/sqrt(width)."
    )
    tuning: TuningKind = Field(
        default="norms", description="norms: LayerNorms and head. frozen: the head alone. lora. full: everything."
    )
    lora: LoRASection = LoRASection()

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        given = [name for name in ("encoder", "detector", "fresh") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of encoder, detector and fresh is wanted, found {' and '.join(given) or 'none'}")
        if self.detector is not None and self.head_std is not None:
            raise ValueError("head_std: a detector keeps its head")
        if self.fresh is not None and self.fresh not in BACKBONES:
            raise ValueError(f"fresh: {self.fresh} is none of {', '.join(BACKBONES)}")
        return self


class GenerateSection(PairSourceSection):
    """Pairs that are made, not collected: a real crop and the same with its face re-made (`gend.data.pairs`)."""

    pairs: int = Field(ge=8, description="Of one epoch; each epoch makes new ones.")
    seed: int = 0
    lowres: Weight = Field(default=1.0, description="Share of pairs with a face re-made at low resolution.")
    selfblend: Weight = Field(default=0.0, description="Share of self-blended pairs (Shiohara and Yamasaki 2022).")

    @model_validator(mode="after")
    def _some_manipulation(self) -> Self:
        if self.lowres + self.selfblend <= 0:
            raise ValueError("lowres and selfblend are both 0")
        return self


class SetSection(Section):
    """A set of crops: a tree on disk, or generated pairs."""

    root: Path | None = Field(default=None, description="Tree of crops, `<dataset>/<source>/<video>/<frame>.png`.")
    lists: tuple[Path, ...] = Field(
        default=(), description="List files or folders of crops, under `root` or not; none takes the whole tree."
    )
    frames_per_video: int | None = Field(default=None, ge=1, description="Spread evenly; null takes all.")
    generate: GenerateSection | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.root is None) == (self.generate is None):
            raise ValueError("either root or generate is wanted")
        return self


class DataSection(Section):
    """What is learnt from, and what tells how well."""

    train: SetSection
    validation: SetSection
    pairing: bool = Field(
        default=True, description="Each manipulated crop comes with a real one of its source; false shuffles all."
    )
    unreadable: Literal["stop", "skip"] = Field(default="stop", description="What to do about crops that are damaged.")
    workers: int = Field(default=2, ge=0, description="Processes that read and degrade pictures; 0 does it inline.")


class BlurSection(Section):
    """Gaussian blur."""

    probability: Share = 0.1
    kernel_px: int = Field(default=7, ge=3)
    sigma: tuple[float, float] = (0.1, 2.0)


class CallSection(Section):
    """What calls do to pictures, by real codecs (`gend.data.calls`); both members of a pair get the same."""

    probability: Share = Field(default=0.0, description="That a pair is degraded at all.")
    codec: Weight = Field(default=1.0, description="Share: re-encoding at a call's bitrate, H.264 or VP8.")
    ladder: Weight = Field(default=1.0, description="Share: sent at a half to a quarter of the size.")
    loss: Weight = Field(default=0.5, description="Share: packets lost, and what decoders make of the rest.")
    recapture: Weight = Field(default=0.5, description="Share: filmed from a screen.")

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if self.codec + self.ladder + self.loss + self.recapture <= 0:
            raise ValueError("codec, ladder, loss and recapture are all 0")
        return self


class AugmentationSection(Section):
    """What varies pictures while they are learnt from. All zeros is none."""

    flip: Share = 0.5
    degrees: float = Field(default=10, ge=0, le=180)
    translate: Share = Field(default=0.1, description="Of the side.")
    scale: tuple[float, float] = (0.9, 1.1)
    blur: BlurSection = BlurSection()
    brightness: Share = 0.1
    contrast: Share = 0.1
    jpeg: tuple[int, int] | None = Field(default=(40, 100), description="Qualities; null is none.")
    call: CallSection = CallSection()


UNVARIED = AugmentationSection(
    flip=0,
    degrees=0,
    translate=0,
    scale=(1, 1),
    blur=BlurSection(probability=0),
    brightness=0,
    contrast=0,
    jpeg=None,
)
"""Pictures as they are."""


class SlerpSection(Section):
    """Latent augmentation (`gend.training.slerp`)."""

    low: Share = 0.0
    high: Share = 0.5

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class LossSection(Section):
    """Weights of the losses (`gend.training.losses`)."""

    cross_entropy: Weight = 1.0
    uniformity: Weight = 0.5
    alignment: Weight = 0.1
    ranking: Weight = Field(default=0.0, description="Within pairs.")
    where: Weight = Field(default=0.0, description="Where crops are changed; of generated pairs, with tuning full.")
    slerp: SlerpSection | None = None


class OptimiserSection(Section):
    """AdamW (Loshchilov and Hutter 2019), and how its learning rate runs."""

    learning_rate: float = Field(default=3e-4, gt=0)
    least_learning_rate: float = Field(default=1e-5, ge=0)
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Weight = Field(default=0.0, description="Of matrices and kernels; vectors never decay.")
    schedule: Literal["cosine", "cyclic", "constant"] = "cosine"
    warm_up_epochs: float = Field(default=1, ge=0)
    cycle_epochs: float = Field(default=10, gt=0, description="Of `cyclic`.")
    clip_norm: float | None = Field(default=None, gt=0, description="Longest gradient.")
    averaging: float | None = Field(
        default=None, gt=0, lt=1, description="How much of a running average of the weights a step keeps; null is none."
    )

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.least_learning_rate > self.learning_rate:
            raise ValueError(
                f"least_learning_rate {self.least_learning_rate:g} is above learning_rate {self.learning_rate:g}"
            )
        return self


class RunSection(Section):
    """How long, how large, on what."""

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=128, ge=2, description="Crops of one step on one device.")
    accumulate: int = Field(default=1, ge=1, description="Batches of one step of the optimiser.")
    precision: Literal["bf16", "fp32"] = "bf16"
    checkpointing: bool = Field(
        default=False, description="Compute blocks again for their gradient: a tenth of the memory, half more time."
    )
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1, description="More are trained by DDP.")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch; null takes all cores.")
    best: Literal["video_ap", "video_auroc", "loss"] = Field(
        default="video_ap", description="What of the validation chooses the best checkpoint."
    )
    patience: int | None = Field(default=None, ge=1, description="Epochs without a better one before it ends.")
    store: Literal["fp32", "fp16"] = Field(default="fp32", description="Of the whole network's file.")
    keep_every_steps: int = Field(default=500, ge=1, description="Steps between checkpoints to resume from.")


class TrainingConfig(Section):
    """A whole training."""

    about: str = Field(default="", description="What it is for; listed by `gend train --list`.")
    seed: int = 0
    licence: str = Field(default="unknown", description="Of the weights that come out.")
    sweep: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="Settings and the values each is to take: all combinations are trained."
    )
    model: ModelSection
    data: DataSection
    augmentation: AugmentationSection = AugmentationSection()
    losses: LossSection = LossSection()
    optimiser: OptimiserSection = OptimiserSection()
    run: RunSection = RunSection()

    @model_validator(mode="after")
    def _losses_fit(self) -> Self:
        if self.losses.where and (self.data.train.generate is None or self.model.tuning != "full"):
            raise ValueError("losses.where: wants generated pairs and tuning full")
        if self.losses.ranking and not self.data.pairing:
            raise ValueError("losses.ranking: wants data.pairing")
        if self.losses.where and self.augmentation_moves:
            raise ValueError("losses.where: degrees, translate and scale would move what it learns")
        return self

    @property
    def augmentation_moves(self) -> bool:
        """Whether pictures are turned, shifted or scaled."""
        varied = self.augmentation
        return bool(varied.degrees or varied.translate or varied.scale != (1.0, 1.0))
