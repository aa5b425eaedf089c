"""Latent augmentation on the unit sphere: features between those of two crops of one class.

As in GenD's first version (LNCLIP-DF) and its predecessor (arXiv 2503.19683).
"""

from __future__ import annotations

import torch
from torch import Tensor

_PARALLEL = 1e-6
"""Angles below it, radians, are walked along the chord."""


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The point a share `t` of the way from `a` to `b` along the great circle (Shoemake 1985).

    Args:
        a: on the unit sphere, float (B, C).
        b: likewise.
        t: 0 to 1, (B,).

    Returns:
        Float (B, C), on the unit sphere.
    """
    t = t[:, None]
    # Not by the arc cosine, which is steep without end where a = b: a feature may be its own partner.
    angle = 2 * torch.atan2((a - b).norm(dim=-1, keepdim=True), (a + b).norm(dim=-1, keepdim=True))  # (B, 1)
    small = angle < _PARALLEL
    sine = torch.where(small, torch.ones_like(angle), torch.sin(angle))
    on_circle = torch.sin((1 - t) * angle) / sine * a + torch.sin(t * angle) / sine * b
    return torch.where(small, (1 - t) * a + t * b, on_circle)


def augment_latents(features: Tensor, labels: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """Each feature moved towards a random one of its class, by a share between `low` and `high` of the way.

    Args:
        features: on the unit sphere, float (B, C).
        labels: (B,).
        low: 0 to 1.
        high: `low` to 1.
        rng: of the CPU, so that every device draws the same.
    """
    partner = torch.arange(len(labels))
    on_cpu = labels.cpu()
    for label in set(on_cpu.tolist()):
        of_class = torch.nonzero(on_cpu == label)[:, 0]
        partner[of_class] = of_class[torch.randperm(len(of_class), generator=rng)]
    t = low + (high - low) * torch.rand(len(labels), generator=rng, dtype=torch.float64)
    return slerp(features, features[partner.to(features.device)], t.to(features))
