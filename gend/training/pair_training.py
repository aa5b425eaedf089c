"""Trains a small encoder from nothing on pairs of a real and a manipulated crop.

Two losses judge the answer: cross-entropy on each crop, and a ranking within each pair, which cancels what its members
share. A third, on the tokens, asks where the picture was re-made; it teaches the encoder to look there and is thrown
away. The weights kept are a running average.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gend.backbones import Backbone
from gend.data.pairs import Pairs
from gend.network import GenD


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What may be turned."""

    epochs: int = 5
    batch_pairs: int = 32
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    warm_up: float = 0.05
    """Share of the steps over which the learning rate rises."""
    ranking_weight: float = 0.5
    where_weight: float = 0.3
    averaging: float = 0.995
    """How much of the running average a step keeps."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training has come."""

    step: int
    steps: int
    loss: float
    """Mean since the report before."""


def train_on_pairs(
    backbone: Backbone, pairs: Pairs, settings: TrainingSettings, report: Callable[[Progress, GenD], None]
) -> GenD:
    """Trains from random weights.

    Args:
        backbone: the encoder.
        pairs: what to learn from; each is seen once an epoch, mirrored at will.
        settings: how.
        report: called after each epoch with the averaged network, in evaluation mode.

    Returns:
        The averaged network, in evaluation mode. One seed gives one result on one machine and number of threads.
    """
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    learner = _Learner(backbone)
    running = get_ema_multi_avg_fn(settings.averaging)  # type: ignore[no-untyped-call]  # torch's own
    average = AveragedModel(learner, multi_avg_fn=running, use_buffers=True)
    optimiser = torch.optim.AdamW(_groups(learner, settings.weight_decay), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(pairs.real) / settings.batch_pairs)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step / steps, settings.warm_up))
    step = 0
    for _ in range(settings.epochs):
        learner.train()
        losses = []
        for crops, remade in _batches(pairs, settings.batch_pairs, rng):
            loss = learner.loss(crops, remade, settings)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(learner)
            losses.append(loss.item())
            step += 1
        report(Progress(step, steps, float(np.mean(losses))), _averaged(average))
    return _averaged(average)


def log_odds(network: GenD, crops: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float32]:
    """Log-odds of fake, float32 (n,), of crops ready for the encoder, uint8 (n, px, px, 3)."""
    with torch.inference_mode():
        parts = [network.log_odds(torch.from_numpy(crops[at : at + batch])) for at in range(0, len(crops), batch)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


def _averaged(average: AveragedModel) -> GenD:
    learner = average.module
    assert isinstance(learner, _Learner)
    return learner.network.eval()


class _Learner(nn.Module):
    """The network, and what training needs beside it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = GenD(backbone)
        # On the unit sphere a small head can only whisper; start where it can be sure of something.
        nn.init.normal_(self.network.head.weight, std=0.3)
        self.where = nn.Linear(backbone.vit.width, 2)
        self.grid = backbone.vit.image_px // backbone.vit.patch_px

    def loss(self, crops: Tensor, remade: Tensor, settings: TrainingSettings) -> Tensor:
        """Of real and fake crops, uint8 (2, B, S, S, 3), and what was re-made of the fake ones, uint8 (B, S, S)."""
        pairs = crops.shape[1]
        # With so few tokens the fused attention's backward pass costs a CPU a quarter of the step; plain does better.
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            tokens = self.network.encoder.tokens(self.network.normalise(crops.flatten(0, 1)))  # (2B, T, C)
            logits = self.network.head(self.network.place(tokens[:, 0])).float()  # (2B, 2)
            where = self.where(tokens[:, 1:]).float()  # (2B, T-1, 2)
        fake = torch.arange(2).repeat_interleave(pairs)
        odds = (logits[:, 1] - logits[:, 0]).unflatten(0, (2, pairs))  # (2, B): real, fake
        answer = F.cross_entropy(logits, fake)
        ranking = F.softplus(odds[0] - odds[1]).mean()
        place = F.binary_cross_entropy_with_logits(where, self._where_targets(remade))
        return answer + settings.ranking_weight * ranking + settings.where_weight * place

    def _where_targets(self, remade: Tensor) -> Tensor:
        """Per token, how much of it is re-made and how much is the edge: 0 for real crops, (2B, T-1, 2)."""
        inside = remade.float() / 255
        edge = 4 * inside * (1 - inside)
        pooled = F.adaptive_avg_pool2d(torch.stack([inside, edge], dim=1), self.grid)  # (B, 2, G, G)
        targets = pooled.flatten(2).transpose(1, 2)  # (B, T-1, 2)
        return torch.cat([torch.zeros_like(targets), targets])


def _batches(pairs: Pairs, size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled and mirrored: crops uint8 (2, B, S, S, 3), re-made uint8 (B, S, S)."""
    order = rng.permutation(len(pairs.real))
    for at in range(0, len(order), size):
        chosen = order[at : at + size]
        crops, remade = np.stack([pairs.real[chosen], pairs.fake[chosen]]), pairs.remade[chosen]
        mirrored = rng.random(len(chosen)) < 0.5
        crops[:, mirrored] = crops[:, mirrored, :, ::-1]
        remade[mirrored] = remade[mirrored, :, ::-1]
        yield torch.from_numpy(crops), torch.from_numpy(remade)


def _groups(learner: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Only matrices and kernels decay; norms, biases and positions have no reason to be small."""
    matrices = [parameter for parameter in learner.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in learner.parameters() if parameter.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _rate(done: float, warm_up: float) -> float:
    """Share of the learning rate at a share of the training: a ramp, then half a cosine."""
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))
