"""What GenD's training minimises (arXiv 2508.06248, section 3), and two losses that only generated pairs allow.

All are means over a batch, so that weights do not depend on its size. Axes: B crops, C width, P pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

_LEAST = 1e-6
"""Below it the logarithm of uniformity would run away."""


def alignment(features: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance of pairs that share a label (Wang and Isola 2020, per class); 0 where there is none.

    Args:
        features: on the unit sphere, float (B, C).
        labels: (B,).
    """
    squared = _squared_distances(features)
    same = labels[:, None] == labels[None, :]
    pairs = torch.triu(same, diagonal=1)
    return squared[pairs].mean() if bool(pairs.any()) else features.sum() * 0


def uniformity(features: Tensor) -> Tensor:
    """How unevenly features cover the sphere, whatever their labels (Wang and Isola 2020, t = 2); 0 for one alone.

    Args:
        features: on the unit sphere, float (B, C).
    """
    count = len(features)
    if count < 2:
        return features.sum() * 0
    row, column = torch.triu_indices(count, count, offset=1, device=features.device)
    near = torch.exp(-2 * _squared_distances(features)[row, column])
    return near.mean().clamp(min=_LEAST).log()


def ranking(log_odds: Tensor, labels: Tensor, pair: Tensor) -> Tensor:
    """How often, softly, the real member of a pair is judged more fake than the other: mean softplus of the difference.

    It cancels what both members share. 0 where there is no pair.

    Args:
        log_odds: of fake, float (B,).
        labels: 0 real, 1 fake, (B,).
        pair: number of each crop's pair, (B,); each number has one real and one fake crop, or -1 for crops alone.
    """
    paired = pair >= 0
    real, fake = paired & (labels == 0), paired & (labels == 1)
    if not bool(real.any()):
        return log_odds.sum() * 0
    by_pair_real = log_odds[real][torch.argsort(pair[real])]  # (P,)
    by_pair_fake = log_odds[fake][torch.argsort(pair[fake])]  # (P,)
    return F.softplus(by_pair_real - by_pair_fake).mean()


def where_targets(changed: Tensor, grid: int) -> Tensor:
    """Per patch, how much of it is manipulated and how much of it is the manipulation's edge.

    Args:
        changed: how much of each pixel is manipulated, of 255, uint8 (B, S, S).
        grid: G, patches along a side.

    Returns:
        Float (B, G*G, 2), 0 to 1.
    """
    inside = changed.float() / 255
    edge = 4 * inside * (1 - inside)
    pooled = F.adaptive_avg_pool2d(torch.stack([inside, edge], dim=1), grid)  # (B, 2, G, G)
    return pooled.flatten(2).transpose(1, 2)


def _squared_distances(features: Tensor) -> Tensor:
    """Of each feature to each, (B, B). By differences: on the sphere they are small, and products would round."""
    return (features[:, None] - features[None, :]).square().sum(-1)
