"""From raw log-odds to scores: calibrated log-likelihood ratios of fake against real, free of any prior.

An encoder's log-odds are those of its training, not of this camera. A curve for each quality of crop makes them
log p(logit | fake) - log p(logit | real): a straight line (Platt 1999), or three numbers that bend it at both ends
(beta calibration, Kull, Silva Filho and Flach 2017), whichever tells sessions better that it has not seen. The fakes
are made of the user's own real faces, so the curve may be wrong about others; the false alarms do not depend on it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

CurveKind = Literal["platt", "beta"]
Numbers = NDArray[np.float64]

_NEWTON_STEPS = 60
_RIDGE = 1e-2
"""Pulls a curve towards saying nothing, as much as a hundredth of one crop does: classes may be separable."""
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """Log-odds → score: `above` times what speaks for fake, less `below` times what speaks for real, plus `offset`.

    A straight line where both are equal, as x = log p - log(1 - p).
    """

    kind: CurveKind
    above: float
    """Slope far to the fake side, at least 0."""
    below: float
    """Slope far to the real side, at least 0."""
    offset: float

    def __call__(self, logits: Numbers | float) -> Numbers:
        """Scores of raw log-odds, any shape, nats."""
        x = np.asarray(logits, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # NaN stays NaN
            # log(1 + e^x) without overflow; -log(1 - p) is that of x, and -log p that of -x.
            scores: Numbers = self.above * np.logaddexp(0, x) - self.below * np.logaddexp(0, -x) + self.offset
        return scores


NOTHING = Curve("platt", 0.0, 0.0, 0.0)
"""Says nothing about any crop."""
AS_IT_IS = Curve("platt", 1.0, 1.0, 0.0)
"""Leaves log-odds as the encoder gave them."""


def fit_curve(logits: Numbers, fake: NDArray[np.bool_], sessions: NDArray[np.int64]) -> Curve:
    """The better of a line and a beta curve.

    Both classes count the same, however many crops each has: that takes the prior out.

    Args:
        logits: raw log-odds of crops, (n,).
        fake: which crops are manipulated, (n,).
        sessions: number of the session that each crop is of, (n,); crops of one session are never both learnt from
            and judged by.

    Raises:
        ValueError: a class is missing, or a logit is not finite.
    """
    return fit_held_out(logits, fake, sessions)[0]


def fit_held_out(logits: Numbers, fake: NDArray[np.bool_], sessions: NDArray[np.int64]) -> tuple[Curve, Numbers]:
    """As `fit_curve`, and what curves of that kind say of crops whose session they were not made of, (n,).

    Where there is but one session they say nothing.
    """
    if fake.all() or not fake.any():
        raise ValueError("crops of one class only")
    if not np.isfinite(logits).all():
        raise ValueError("a logit that is no number")
    if len(np.unique(sessions)) < 2:
        return _fit("platt", logits, fake), np.zeros(len(logits))
    line, beta = (_held_out_scores(kind, logits, fake, sessions) for kind in get_args(CurveKind))
    if balanced_loss(beta, fake) < balanced_loss(line, fake):
        return _fit("beta", logits, fake), beta
    return _fit("platt", logits, fake), line


def _held_out_scores(kind: CurveKind, logits: Numbers, fake: NDArray[np.bool_], sessions: NDArray[np.int64]) -> Numbers:
    groups = np.unique(sessions)
    folds = np.searchsorted(groups, sessions) % min(_FOLDS, len(groups))
    scores = np.zeros(len(logits))
    for fold in np.unique(folds):
        out = folds == fold
        learnt = fake[~out]
        curve = _fit(kind, logits[~out], learnt) if learnt.any() and not learnt.all() else NOTHING
        scores[out] = curve(logits[out])
    return scores


def balanced_loss(scores: Numbers, fake: NDArray[np.bool_]) -> float:
    """Cross-entropy of scores with both classes counted the same, nats; log 2 for scores that say nothing."""
    of_fake = np.logaddexp(0, -scores[fake]).mean()
    of_real = np.logaddexp(0, scores[~fake]).mean()
    return float(of_fake + of_real) / 2


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Crops that were given about the same probability."""

    said: float
    """Their mean probability of fake, both classes counted the same."""
    seen: float
    """The share of fakes among them, both classes counted the same."""
    weight: float
    """Their share of all crops, both classes counted the same."""


def reliability(scores: Numbers, fake: NDArray[np.bool_], bins: int = 10) -> list[ReliabilityBin]:
    """What was said against what was so, in bins of equal width of the probability; empty ones are left out."""
    weight = np.where(fake, 0.5 / max(1, fake.sum()), 0.5 / max(1, (~fake).sum()))
    said = 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
    number = np.minimum((said * bins).astype(int), bins - 1)
    found = []
    for each in range(bins):
        inside = number == each
        total = weight[inside].sum()
        if total > 0:
            seen = float(weight[inside & fake].sum() / total)
            found.append(ReliabilityBin(float((weight * said)[inside].sum() / total), seen, float(total)))
    return found


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """ECE: mean distance of what was said and what was so, 0 to 1."""
    return sum(each.weight * abs(each.said - each.seen) for each in bins)


def _fit(kind: CurveKind, logits: Numbers, fake: NDArray[np.bool_]) -> Curve:
    if kind == "platt":
        (slope, offset) = _regress([logits], fake)
        slope = max(0.0, slope)
        return Curve(kind, slope, slope, offset if slope else 0.0)
    above, below = np.logaddexp(0, logits), -np.logaddexp(0, -logits)
    a, b, offset = _regress([above, below], fake)
    # A slope that falls would call the more fake the more real: Kull et al. leave that side out and fit again.
    if a < 0 and b < 0:
        return Curve(kind, 0.0, 0.0, 0.0)
    if a < 0:
        (b, offset), a = _regress([below], fake), 0.0
    elif b < 0:
        (a, offset), b = _regress([above], fake), 0.0
    if max(a, b) <= 0:
        return Curve(kind, 0.0, 0.0, 0.0)
    return Curve(kind, max(0.0, a), max(0.0, b), offset)


def _regress(features: Sequence[Numbers], fake: NDArray[np.bool_]) -> tuple[float, ...]:
    """Logistic regression by Newton's method, both classes counted the same: one weight each, then the offset."""
    design = np.column_stack([*features, np.ones(len(fake))])
    weight = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum()) * len(fake)
    ridge = _RIDGE * np.eye(design.shape[1])
    theta = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ theta, -30, 30)))
        slope = design.T @ (weight * (fake - p)) - ridge @ theta
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, slope)
        theta += step / max(1.0, float(np.abs(step).max()) / 2)  # far from the top a whole step may overshoot
        if np.abs(step).max() < 1e-9:
            break
    return tuple(float(value) for value in theta)


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores crops by their quality.

    Attributes:
        least_quality: where each curve's bin begins, rising; the first is 0.
        curves: one for each bin.
    """

    least_quality: tuple[float, ...]
    curves: tuple[Curve, ...]

    def score(self, logit: float, quality: float) -> float:
        """The log-likelihood ratio of one crop of this quality, 0 to 1."""
        number = max(0, bisect_right(self.least_quality, quality) - 1)
        return float(self.curves[number](logit))

    def scores(self, logits: Numbers, quality: Numbers) -> Numbers:
        """Of many crops, (n,)."""
        number = np.maximum(0, np.searchsorted(self.least_quality, quality, side="right") - 1)
        scores = np.empty(len(logits))
        for each, curve in enumerate(self.curves):
            scores[number == each] = curve(logits[number == each])
        return scores


def weight_of(quality: float) -> float:
    """How much a crop of this quality counts: one that barely passed the gate half as much as a perfect one."""
    return 0.5 + 0.5 * max(0.0, min(1.0, quality))


def weights_of(quality: Numbers) -> Numbers:
    """`weight_of` each of many, any shape; NaN stays NaN."""
    weights: Numbers = 0.5 + 0.5 * np.clip(quality, 0.0, 1.0)
    return weights
