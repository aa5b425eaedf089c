"""How far to trust a figure: the bootstrap, which draws whole videos, or whole families of them.

Frames of one video, and a manipulated video and the real one it was made from, are not independent, so they are drawn
together. Groups with only real members, only fakes, and both are drawn each among themselves: no draw lacks a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gend.evaluation.metrics import Floats, area_under, auroc, figures, operating_points

FEWEST_GROUPS = 8
"""Of either class; with fewer an interval would pretend to know more than it does."""
RESAMPLINGS = 1000

_PAIR_RESAMPLINGS = 2000
_FEWEST_RESAMPLINGS = 200
_MOST_CELLS = 200_000_000
"""Resamplings times scores: a few seconds. With more scores there are fewer resamplings."""
_CHUNK_CELLS = 2_000_000
"""At a time, so that memory stays below some 200 MB."""


class Interval(NamedTuple):
    """A figure and the central 95 % of its bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


Span = tuple[float, float]
"""Both ends of an interval."""


def spans(
    scores: Floats,
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    *,
    resamplings: int = RESAMPLINGS,
    seed: int = 0,
) -> Mapping[str, Span]:
    """The central 95 % of every figure of `metrics.Figures`, by its name.

    Args:
        scores: (n,) p(fake).
        labels: (n,), 0 real, 1 fake.
        groups: (n,) number of the group each score belongs to.
        resamplings: how many; fewer where there are many scores.
        seed: the same for the same groups draws the same ones.

    Returns:
        None of them where either class has fewer than 8 groups.
    """
    if not _enough(labels, groups):
        return {}
    chunks = [
        figures(operating_points(scores, labels, weights))
        for weights in _weights(labels, groups, resamplings, np.random.default_rng(seed))
    ]
    return {name: _central(np.concatenate([chunk[name] for chunk in chunks])) for name in chunks[0]}


def auroc_difference(
    scores: Floats, others: Floats, labels: NDArray[np.integer], groups: NDArray[np.integer], *, seed: int = 0
) -> Interval | None:
    """By how much the AUROC of `others` is above that of `scores`, both of the same crops or videos.

    Both are drawn together, so that what makes a set hard for both does not blur the difference. None where either
    class has fewer than 8 groups.
    """
    if not _enough(labels, groups):
        return None

    def areas(weights: Floats | None) -> Floats:
        first, second = (operating_points(values, labels, weights) for values in (scores, others))
        return area_under(second.tpr, second.fpr) - area_under(first.tpr, first.fpr)

    drawn = [areas(weights) for weights in _weights(labels, groups, RESAMPLINGS, np.random.default_rng(seed))]
    return Interval(float(areas(None)), *_central(np.concatenate(drawn)))


def paired_auroc(real: NDArray[np.floating], fake: NDArray[np.floating], seed: int = 0) -> Interval:
    """AUROC of pairs, resampled by whole pairs, since the members of one are not independent.

    Args:
        real: (n,) scores.
        fake: (n,) scores of the same pictures, manipulated.
        seed: of the bootstrap.
    """
    scores = np.concatenate([real, fake]).astype(np.float64)
    labels, groups = np.repeat((0, 1), len(real)), np.tile(np.arange(len(real)), 2)
    drawn = []
    for weights in _weights(labels, groups, _PAIR_RESAMPLINGS, np.random.default_rng(seed)):
        points = operating_points(scores, labels, weights)
        drawn.append(area_under(points.tpr, points.fpr))
    return Interval(auroc(real, fake), *_central(np.concatenate(drawn)))


def _weights(
    labels: NDArray[np.integer], groups: NDArray[np.integer], resamplings: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """How often each score counts in each resampling, (rows, n) at a time."""
    _, of = np.unique(groups, return_inverse=True)
    classes = np.zeros(int(of.max()) + 1, np.int64)
    np.bitwise_or.at(classes, of, np.where(labels == 1, 2, 1))
    strata = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    left = min(resamplings, max(_FEWEST_RESAMPLINGS, _MOST_CELLS // len(labels)))
    while left:
        rows = min(left, max(1, _CHUNK_CELLS // len(labels)))
        left -= rows
        counts = np.zeros((rows, len(classes)))
        for stratum in strata:
            drawn = rng.integers(len(stratum), size=(rows, len(stratum))) + len(stratum) * np.arange(rows)[:, None]
            counts[:, stratum] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(rows, -1)
        yield counts[:, of]


def _enough(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> bool:
    return all(len(np.unique(groups[labels == label])) >= FEWEST_GROUPS for label in (0, 1))


def _central(drawn: Floats) -> Span:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)
