"""Figures of how well scores separate real from fake.

All of them come from the operating points: what each threshold would do. They are taken of one set of scores or of
batches of resampled ones, so that a figure and its bootstrap (`gend.evaluation.bootstrap`) are the same few lines.
Ties share a point. Where scikit-learn has the figure too, tests hold ours equal to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError

Floats = NDArray[np.float64]

FPR_LIMITS: Mapping[str, float] = {
    "tpr_at_fpr_0_1_percent": 0.001,
    "tpr_at_fpr_1_percent": 0.01,
    "tpr_at_fpr_5_percent": 0.05,
}
_ROUNDING = 1e-12
"""Of a share of counts: 1 of 100 is not more than 1 %."""


@dataclass(frozen=True, slots=True, eq=False)
class OperatingPoints:
    """What each threshold would do: fake is said of every score at or above it.

    Leading axes are batches of resamplings; k thresholds.
    """

    thresholds: Floats
    """(k,) from +inf, which says fake of none, through the distinct scores, downwards."""
    true_positives: Floats
    """(..., k) fakes that are called so."""
    false_positives: Floats
    """(..., k) real ones that are called fake."""

    @property
    def tpr(self) -> Floats:
        """(..., k) true positives as a share of the fakes."""
        return self.true_positives / self.true_positives[..., -1:]

    @property
    def fpr(self) -> Floats:
        """(..., k) false positives as a share of the real ones."""
        return self.false_positives / self.false_positives[..., -1:]

    @property
    def precision(self) -> Floats:
        """(..., k) the share of fakes in what is called so; 1 where nothing is."""
        called = self.true_positives + self.false_positives
        return np.divide(self.true_positives, called, out=np.ones_like(called), where=called > 0)

    @property
    def f1(self) -> Floats:
        """(..., k) harmonic mean of precision and recall."""
        return 2 * self.true_positives / (self.true_positives + self.false_positives + self.true_positives[..., -1:])


@dataclass(frozen=True, slots=True)
class Figures:
    """How well scores of p(fake) separate. Shares, 0 to 1, where nothing else is said."""

    auroc: float
    """Probability that a fake scores above a real one, ties counting half."""
    average_precision: float
    """Precision, averaged over the recall each score adds (no interpolation)."""
    eer: float
    """Where false alarms and misses are equally frequent, on the straight lines between operating points."""
    eer_threshold: float
    """The score at which the two come closest; it is what the next three are taken at."""
    accuracy: float
    balanced_accuracy: float
    f1: float
    best_f1: float
    """Of all thresholds."""
    best_f1_threshold: float
    tpr_at_fpr_0_1_percent: float
    """Found fakes where at most 0.1 % of the real ones are called fake; nothing is interpolated. Likewise the next."""
    tpr_at_fpr_1_percent: float
    tpr_at_fpr_5_percent: float
    wasserstein: float
    """Wasserstein-1 distance of the two distributions of scores: how far apart they are, in p(fake)."""


NAMES = tuple(field.name for field in fields(Figures))


def operating_points(scores: Floats, labels: NDArray[np.integer]) -> OperatingPoints:
    """Counts them.

    Args:
        scores: (n,), n > 0.
        labels: (n,), 0 real, 1 fake.

    Raises:
        GendError: a score is not a number.
    """
    if not np.isfinite(scores).all():
        raise GendError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not numbers")
    falling, of = np.unique(-scores, return_inverse=True)
    fakes, reals = (np.bincount(of[labels == label], minlength=len(falling)).astype(float) for label in (1, 0))
    return points_of(-falling, fakes, reals)


def points_of(thresholds: Floats, fakes: Floats, reals: Floats) -> OperatingPoints:
    """The operating points of counted scores.

    Args:
        thresholds: (k,), from high to low.
        fakes: (..., k) how many lie at each, or above it and below the one before.
        reals: (..., k) likewise.
    """
    none = np.zeros((*fakes.shape[:-1], 1))
    found, alarms = (np.concatenate([none, np.cumsum(counts, axis=-1)], axis=-1) for counts in (fakes, reals))
    return OperatingPoints(np.append(np.inf, thresholds), found, alarms)


def measure(scores: Floats, labels: NDArray[np.integer]) -> Figures | None:
    """The figures of scores; None where one of the two classes is missing, since all of them need both.

    Args:
        scores: (n,) p(fake).
        labels: (n,), 0 real, 1 fake.

    Raises:
        GendError: a score is not a number.
    """
    if len(np.unique(labels)) < 2:
        return None
    found = figures(operating_points(scores, labels))
    return Figures(**{name: float(value) for name, value in found.items()})


def figures(points: OperatingPoints) -> dict[str, Floats]:
    """All figures by name, each of the shape of the leading axes."""
    tpr, fpr, thresholds = points.tpr, points.fpr, points.thresholds
    nearest = _nearest_to_eer(tpr, fpr)
    tpr_there, fpr_there = _at(tpr, nearest), _at(fpr, nearest)
    fakes, reals = points.true_positives[..., -1], points.false_positives[..., -1]
    best = points.f1.argmax(axis=-1)
    return {
        "auroc": area_under(tpr, fpr),
        "average_precision": (np.diff(tpr, axis=-1) * points.precision[..., 1:]).sum(axis=-1),
        "eer": _eer(tpr, fpr),
        "eer_threshold": thresholds[nearest],
        "accuracy": (tpr_there * fakes + (1 - fpr_there) * reals) / (fakes + reals),
        "balanced_accuracy": (tpr_there + 1 - fpr_there) / 2,
        "f1": _at(points.f1, nearest),
        "best_f1": points.f1.max(axis=-1),
        "best_f1_threshold": thresholds[best],
        **{name: np.where(fpr <= limit + _ROUNDING, tpr, 0).max(axis=-1) for name, limit in FPR_LIMITS.items()},
        "wasserstein": (np.abs(tpr - fpr)[..., 1:-1] * -np.diff(thresholds[1:])).sum(axis=-1),
    }


def area_under(tpr: Floats, fpr: Floats) -> Floats:
    """AUROC of operating points: (..., k) each → (...)."""
    return np.asarray((np.diff(fpr, axis=-1) * (tpr[..., 1:] + tpr[..., :-1]) / 2).sum(axis=-1))


def auroc(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Probability that a fake scores above a real one, ties counting half (Mann and Whitney 1947)."""
    scores = np.concatenate([real, fake]).astype(np.float64)
    points = operating_points(scores, np.repeat((0, 1), (len(real), len(fake))))
    return float(area_under(points.tpr, points.fpr))


def probability(odds: NDArray[np.floating]) -> Floats:
    """p(fake) of log-odds."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * odds.astype(np.float64))))  # `exp` of large ones would overflow


def _nearest_to_eer(tpr: Floats, fpr: Floats) -> NDArray[np.intp]:
    """The operating point whose false alarms and misses are closest; of two, the one with fewer false alarms."""
    gap = np.abs(fpr - (1 - tpr))
    return np.asarray(np.round(gap[..., 1:], 12).argmin(axis=-1) + 1)  # saying fake of none is no use


def _eer(tpr: Floats, fpr: Floats) -> Floats:
    gap = fpr - (1 - tpr)  # from -1 up to 1, never falling
    behind = (gap >= 0).argmax(axis=-1)
    before = behind - 1
    step = _at(gap, behind) - _at(gap, before)
    share = -_at(gap, before) / step
    return np.asarray(_at(fpr, before) + share * (_at(fpr, behind) - _at(fpr, before)))


def _at(values: Floats, index: NDArray[np.intp]) -> Floats:
    return np.asarray(np.take_along_axis(values, np.expand_dims(index, -1), axis=-1)[..., 0])
