"""One step of training and one of validation, as Lightning runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import lightning.pytorch as L  # noqa: N812  (Lightning's own custom)
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)
from torch.nn.attention import SDPBackend, sdpa_kernel

from gend.errors import GendError, PictureError
from gend.metrics import measure, probability
from gend.training.batch_augmentation import BatchAugmentation
from gend.training.config import TrainingConfig
from gend.training.loader import Batch, Judged
from gend.training.losses import alignment, ranking, uniformity, where_targets
from gend.training.schedule import Schedule
from gend.training.slerp import augment_latents
from gend.training.tuning import Tuned

_FEW_TOKENS = 128
"""With fewer, the fused attention's backward pass costs a CPU more than the plain one."""


class TrainingModule(L.LightningModule):
    """A network that learns.

    Args:
        tuned: the network.
        config: how.
        steps: of the optimiser in one epoch.
    """

    FIGURES = "validation_figures"
    """Where a checkpoint keeps the figures of the last validation before it."""

    def __init__(self, tuned: Tuned, config: TrainingConfig, steps: int) -> None:
        super().__init__()
        self.network = tuned.model
        self.where = nn.Linear(tuned.model.backbone.width, 2) if config.losses.where else None
        """Tells where a crop was changed, from each patch's token; thrown away afterwards."""
        self.strict_loading = False  # checkpoints hold what learns
        self._tuned, self._config, self._steps = tuned, config, steps
        self._augment = BatchAugmentation(config.augmentation)
        self._figures: dict[str, float] = {}
        self._judged: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""
        seed = self._step_seed()
        torch.manual_seed(seed)  # dropout's, among others: a training that is resumed draws what it would have
        crops = self._augment(batch.crops, seed)
        features, tokens = self._features(crops)
        parts = self._losses(features, tokens, batch, seed)
        weights = self._config.losses
        loss = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
        self.log_dict({f"train/{name}": part.detach() for name, part in parts.items()}, batch_size=len(crops))
        self.log("train/loss", loss.detach(), batch_size=len(crops))
        return loss

    def train(self, mode: bool = True) -> Self:
        """Into training mode, or out of it. What does not learn is always as it is evaluated."""
        super().train(mode)
        if mode:
            self._tuned.to_training()
        return self

    def validation_step(self, batch: Judged) -> None:
        """Judges crops, and keeps the log-odds until all are judged."""
        logits = self.network(self.network.normalise(batch.crops)).float()
        odds = logits[:, 1] - logits[:, 0]
        self._judged.append(tuple(part.cpu().numpy() for part in (odds, batch.labels, batch.video)))  # type: ignore[arg-type]

    def on_validation_epoch_end(self) -> None:
        """Figures of the whole validation, on frames and on videos."""
        judged = list(self._judged)
        self._judged.clear()
        if self.trainer.world_size > 1:  # each process has judged a share
            shares: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(shares, judged)
            judged = [each for share in shares for each in share]
        if not judged:
            raise PictureError("data.validation: none of its crops can be read")
        odds, labels, video = (np.concatenate(parts) for parts in zip(*judged, strict=True))
        if not np.isfinite(odds).all():
            raise GendError("training diverged: answers are no numbers any more; lower optimiser.learning_rate")
        self._figures = validation_figures(odds, labels, video)
        for name, value in self._figures.items():
            self.log(f"validation/{name}", value, sync_dist=True)  # equal everywhere

    def configure_optimizers(self) -> Any:
        """AdamW on what learns, and the rate of each step."""
        settings = self._config.optimiser
        learnt = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [each for each in learnt if each.ndim >= 2], "weight_decay": settings.weight_decay},
            {"params": [each for each in learnt if each.ndim < 2], "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas)
        schedule = Schedule(
            settings.schedule,
            steps=self._steps * self._config.run.epochs,
            warm_up=round(settings.warm_up_epochs * self._steps),
            cycle=round(settings.cycle_epochs * self._steps),
            least=settings.least_learning_rate / settings.learning_rate,
        )
        rate = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.at)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves out what does not learn: it is where training began, and a thousand times as large."""
        checkpoint[self.FIGURES] = self._figures
        if "averaging_state" in checkpoint:
            return  # Lightning wants it whole
        frozen = {name for name, parameter in self.named_parameters() if not parameter.requires_grad}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: tensor for name, tensor in state.items() if name not in frozen}

    def _features(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, C), float32 and where the head looks at them; all tokens (B, T, C) where they are wanted."""
        network = self.network
        images = network.normalise(crops)
        tokens: Tensor | None = None
        with _attention(images, network.encoder.config.tokens):
            if self.where is None:
                raw = network.features(images)
            else:
                tokens = network.encoder.tokens(images)
                raw = tokens[:, 0]
        return network.place(raw.float()), tokens

    def _losses(self, features: Tensor, tokens: Tensor | None, batch: Batch, seed: int) -> dict[str, Tensor]:
        weights, labels = self._config.losses, batch.labels
        seen, seen_labels = features, labels
        # Where the head looks at features as they are, the others still look at their directions.
        on_sphere = F.normalize(features, dim=-1)
        if weights.slerp is not None:
            rng = torch.Generator().manual_seed(seed)
            moved = augment_latents(on_sphere, labels, weights.slerp.low, weights.slerp.high, rng)
            moved = moved * features.norm(dim=-1, keepdim=True)
            seen, seen_labels = torch.cat([features, moved]), torch.cat([labels, labels])
        with torch.autocast(features.device.type, enabled=False):
            logits = F.linear(seen, self.network.head.weight, self.network.head.bias)
            parts = {"cross_entropy": F.cross_entropy(logits, seen_labels)}
            if weights.uniformity:
                parts["uniformity"] = uniformity(on_sphere)
            if weights.alignment:
                parts["alignment"] = alignment(on_sphere, labels)
            if weights.ranking:
                odds = logits[: len(labels), 1] - logits[: len(labels), 0]
                parts["ranking"] = ranking(odds, labels, batch.pair)
            if self.where is not None and tokens is not None and batch.changed is not None:
                grid = self.network.encoder.config.grid
                told = self.where(tokens[:, -(grid**2) :].float())  # (B, G*G, 2)
                parts["where"] = F.binary_cross_entropy_with_logits(told, where_targets(batch.changed, grid))
        return parts

    def _step_seed(self) -> int:
        """Of everything random in this step, the same whenever it is run."""
        number = self.trainer.fit_loop.epoch_loop.total_batch_idx
        sequence = np.random.SeedSequence((self._config.seed, number, self.trainer.global_rank))
        return int(sequence.generate_state(1)[0])


def validation_figures(odds: np.ndarray, labels: np.ndarray, video: np.ndarray) -> dict[str, float]:
    """What a validation says. All are (n,): log-odds of fake, labels, number of each crop's video.

    A video's score is the mean of its crops' p(fake), as in the paper.
    """
    p = probability(odds)
    _, first, of = np.unique(video, return_index=True, return_inverse=True)
    by_video = np.bincount(of, weights=p) / np.bincount(of)
    frames, videos = measure(p, labels), measure(by_video, labels[first])
    assert frames is not None  # a validation of one class is refused before training begins
    assert videos is not None
    sign = np.where(labels == 1, 1.0, -1.0)
    return {
        "loss": float(np.logaddexp(0, -sign * odds.astype(np.float64)).mean()),
        "video_ap": videos.average_precision,
        "video_auroc": videos.auroc,
        "frame_ap": frames.average_precision,
        "frame_auroc": frames.auroc,
    }


@contextmanager
def _attention(images: Tensor, tokens: int) -> Iterator[None]:
    if images.device.type == "cpu" and tokens < _FEW_TOKENS:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield
