"""How far to trust a figure: the bootstrap, which draws whole videos, or whole families of them.

Frames of one video, and a manipulated video and the real one it was made from, are not independent, so they are drawn
together. Groups with only real members, only fakes, and both are drawn each among themselves: no draw lacks a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gend.metrics import Floats, OperatingPoints, area_under, auroc, figures, operating_points, points_of

FEWEST_GROUPS = 8
"""Of either class; with fewer an interval would pretend to know more than it does."""
RESAMPLINGS = 1000

_PAIR_RESAMPLINGS = 2000
_MOST_THRESHOLDS = 4000
"""Of more distinct scores, neighbours are counted together: in resamplings alone, never in the figure itself."""
_CHUNK_CELLS = 1_000_000
"""Resamplings times thresholds or groups at a time, which bounds memory."""


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
        resamplings: how many.
        seed: the same for the same groups draws the same ones.

    Returns:
        None of them where either class has fewer than 8 groups.
    """
    if not _enough(labels, groups):
        return {}
    counted = _Counted(scores, labels, groups)
    chunks = [figures(counted.points(drawn)) for drawn in _draws(labels, groups, resamplings, seed)]
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

    first, second = (_Counted(values, labels, groups) for values in (scores, others))
    drawn = [
        _areas(second.points(each)) - _areas(first.points(each)) for each in _draws(labels, groups, RESAMPLINGS, seed)
    ]
    whole = _areas(operating_points(others, labels)) - _areas(operating_points(scores, labels))
    return Interval(float(whole), *_central(np.concatenate(drawn)))


def paired_auroc(real: NDArray[np.floating], fake: NDArray[np.floating], seed: int = 0) -> Interval:
    """AUROC of pairs, resampled by whole pairs, since the members of one are not independent.

    Args:
        real: (n,) scores.
        fake: (n,) scores of the same pictures, manipulated.
        seed: of the bootstrap.
    """
    scores = np.concatenate([real, fake]).astype(np.float64)
    labels, groups = np.repeat((0, 1), len(real)), np.tile(np.arange(len(real)), 2)
    counted = _Counted(scores, labels, groups)
    drawn = [_areas(counted.points(each)) for each in _draws(labels, groups, _PAIR_RESAMPLINGS, seed)]
    return Interval(auroc(real, fake), *_central(np.concatenate(drawn)))


class _Counted:
    """Scores as counts of each group at each threshold: a resampling is then one product with them."""

    def __init__(self, scores: Floats, labels: NDArray[np.integer], groups: NDArray[np.integer]) -> None:
        falling, at, ties = np.unique(-scores, return_inverse=True, return_counts=True)
        if len(falling) > _MOST_THRESHOLDS:
            share = np.cumsum(ties) * _MOST_THRESHOLDS // (len(scores) + 1)
            _, first_from_behind, joined = np.unique(share[::-1], return_index=True, return_inverse=True)
            falling = falling[::-1][first_from_behind]  # the last of those that are joined
            at = joined[::-1][at]
        _, of = np.unique(groups, return_inverse=True)
        shape = int(of.max()) + 1, len(falling)
        ones = np.ones(len(scores))
        self._thresholds = -falling
        self._fakes, self._reals = (
            csr_array((ones[labels == label], (of[labels == label], at[labels == label])), shape=shape).T.tocsr()
            for label in (1, 0)
        )

    def points(self, drawn: Floats) -> OperatingPoints:
        """Of resamplings: (rows, groups) how often each group is drawn."""
        fakes, reals = (np.asarray((counts @ drawn.T).T) for counts in (self._fakes, self._reals))
        return points_of(self._thresholds, fakes, reals)


def _draws(labels: NDArray[np.integer], groups: NDArray[np.integer], resamplings: int, seed: int) -> Iterator[Floats]:
    """How often each group is drawn in each resampling, (rows, groups) at a time."""
    rng = np.random.default_rng(seed)
    _, of = np.unique(groups, return_inverse=True)
    classes = np.zeros(int(of.max()) + 1, np.int64)
    np.bitwise_or.at(classes, of, np.where(labels == 1, 2, 1))
    strata = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    most = max(1, _CHUNK_CELLS // max(len(classes), min(len(labels), _MOST_THRESHOLDS)))
    for done in range(0, resamplings, most):
        rows = min(most, resamplings - done)
        counts = np.zeros((rows, len(classes)))
        for stratum in strata:
            drawn = rng.integers(len(stratum), size=(rows, len(stratum))) + len(stratum) * np.arange(rows)[:, None]
            counts[:, stratum] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(rows, -1)
        yield counts


def _areas(points: OperatingPoints) -> Floats:
    return area_under(points.tpr, points.fpr)


def _enough(labels: NDArray[np.integer], groups: NDArray[np.integer]) -> bool:
    return all(len(np.unique(groups[labels == label])) >= FEWEST_GROUPS for label in (0, 1))


def _central(drawn: Floats) -> Span:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)
