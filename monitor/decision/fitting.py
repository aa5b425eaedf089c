"""From the crops of real sessions, and fakes made of some of them, to what a calibration holds. It sees no picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from monitor.decision.calibration import QualityCurve, Session, Track
from monitor.decision.correlation import correlation_time
from monitor.decision.evidence import EvidenceRule, TrackEvidence
from monitor.decision.likelihood import CLIP_NATS, LikelihoodRatio
from monitor.decision.population import Population, measure_population
from monitor.decision.scores import (
    AS_IT_IS,
    Curve,
    ReliabilityBin,
    Scorer,
    calibration_error,
    fit_held_out,
    reliability,
    weight_of,
    weights_of,
)
from monitor.decision.track_scores import TrackPart, TrackScores
from monitor.decision_config import LEAST_QUORUM
from monitor.messages import BLOCK_S

FEWEST_CROPS = 100
"""Fewer crops of real faces make no curve."""
_FEWEST_A_BIN = 300
"""Of each class, for a curve of one quality alone."""
_BINS = 3


@dataclass(frozen=True, slots=True)
class TrackCrops:
    """All crops of one track that were scored, in order."""

    block: NDArray[np.int64]
    """Number of the second that each was seen in, (n,)."""
    logits: NDArray[np.float64]
    """Raw log-odds, finite, (n,)."""
    quality: NDArray[np.float64]
    """0 to 1, (n,)."""

    def scores(self, scorer: Scorer) -> NDArray[np.float64]:
        """Its mean score in each block from its first to its last, as evidence takes it; NaN where there was none."""
        number = self.block - self.block.min()
        weight = weights_of(self.quality)
        total = np.bincount(number, weights=weight * scorer.scores(self.logits, self.quality))
        with np.errstate(invalid="ignore"):
            mean = total / np.bincount(number, weights=weight)
        return np.clip(mean, -CLIP_NATS, CLIP_NATS)


@dataclass(frozen=True, slots=True)
class RealSession:
    """One session known to be real."""

    name: str
    tracks: tuple[TrackCrops, ...]


@dataclass(frozen=True, slots=True)
class Fakes:
    """Answers to crops that were manipulated to make curves."""

    logits: NDArray[np.float64]
    quality: NDArray[np.float64]
    session: NDArray[np.int64]
    """Number of the session that each was made of."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """What curves said of crops of sessions that they were not made of, against what was so."""

    least_quality: float
    """Of these crops; those of the next curve's are not among them."""
    real: int
    fake: int
    bins: tuple[ReliabilityBin, ...]
    error: float
    """ECE."""

    @classmethod
    def of(cls, scores: NDArray[np.float64], fake: NDArray[np.bool_], least_quality: float) -> Self:
        """What follows from scores of crops, (n,)."""
        bins = tuple(reliability(scores, fake))
        return cls(least_quality, int((~fake).sum()), int(fake.sum()), bins, calibration_error(bins))


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a calibration is made of."""

    scorer: Scorer
    curves: tuple[QualityCurve, ...]
    reliability: Reliability | None
    """Of all crops; None without curves, or where there was but one session."""
    by_quality: tuple[Reliability, ...]
    """The same of each curve."""
    correlation_blocks: float
    population: Population
    sessions: tuple[Session, ...]
    uncurved: str | None
    """Why log-odds are taken as they are, in a sentence; None where curves could be made."""

    @property
    def calibration_error(self) -> float | None:
        """ECE of all crops."""
        return None if self.reliability is None else self.reliability.error


def fit(sessions: Sequence[RealSession], fakes: Fakes) -> Fitted:
    """Curves, correlation time, and how high each track came. With few crops log-odds are taken as they are.

    Raises:
        ValueError: there is no crop of a real face at all.
    """
    real, quality, number = _all_crops(sessions)
    if not len(real):
        raise ValueError("no face in it could be scored")
    logits = np.concatenate([real, fakes.logits])
    qualities = np.concatenate([quality, fakes.quality])
    fake = np.arange(len(logits)) >= len(real)
    groups = np.concatenate([number, fakes.session])
    uncurved = None
    if min(len(real), len(fakes.logits)) < FEWEST_CROPS:
        found = f"{len(real)} scored crops and {len(fakes.logits)} made fakes"
        uncurved = f"{found} are too few to calibrate scores ({FEWEST_CROPS} of each needed)"
    edges = _edges(qualities, fake) if uncurved is None else np.zeros(1)
    bin_of = np.searchsorted(edges, qualities, side="right") - 1
    inside = [bin_of == n for n in range(len(edges))]
    overall, by_quality = None, []
    curves = [AS_IT_IS]
    if uncurved is None:
        found_curves = [fit_held_out(logits[here], fake[here], groups[here]) for here in inside]
        curves = [curve for curve, _ in found_curves]
        if all(curve.above == curve.below == 0 for curve in curves):
            uncurved = "the encoder does not tell these real faces from the same blended with themselves"
            edges, curves = edges[:1], [AS_IT_IS]
        elif len(sessions) > 1:
            scores = np.zeros(len(logits))
            for here, edge, (_, held_out) in zip(inside, edges, found_curves, strict=True):
                scores[here] = held_out
                by_quality.append(Reliability.of(held_out, fake[here], float(edge)))
            overall = Reliability.of(scores, fake, 0.0)
    tracks = [track for session in sessions for track in session.tracks]
    scorer = Scorer(tuple(float(edge) for edge in edges), tuple(curves))
    of_real = [track.scores(scorer) for track in tracks if len(track.block)]
    tau = correlation_time(of_real)
    of_fakes = np.clip(scorer.scores(fakes.logits, fakes.quality), -CLIP_NATS, CLIP_NATS)
    population = measure_population(of_real, tau, of_fakes)
    rule = LikelihoodRatio(population)
    return Fitted(
        scorer,
        tuple(_kept(edge, curve) for edge, curve in zip(scorer.least_quality, curves, strict=True)),
        overall,
        tuple(by_quality),
        tau,
        population,
        tuple(_session(session, scorer, rule) for session in sessions),
        uncurved,
    )


def peak(track: TrackCrops, scorer: Scorer, rule: EvidenceRule) -> float:
    """The highest evidence that the track ever comes to, crop by crop as `run` sees it: in the midst of a block too.

    Nothing is raised in a track's first block, whatever `decision.min_blocks` is.
    """
    return _track(track, scorer, rule).peak


def _session(session: RealSession, scorer: Scorer, rule: EvidenceRule) -> Session:
    return Session(name=session.name, tracks=tuple(_track(track, scorer, rule) for track in session.tracks))


def _track(track: TrackCrops, scorer: Scorer, rule: EvidenceRule) -> Track:
    evidence, part = TrackEvidence(rule), TrackPart()
    highest = 0.0
    for block, logit, quality in zip(track.block, track.logits, track.quality, strict=True):
        score = scorer.score(float(logit), float(quality))
        if not evidence.add(score, float(block) * BLOCK_S, weight_of(float(quality))):
            continue
        part.add(score, int(block))
        if evidence.blocks >= LEAST_QUORUM:
            highest = max(highest, evidence.fake)
    scores = part.tell(least_blocks=1) or TrackScores(0, 0.0, 0.0)
    return Track(peak=highest, blocks=scores.blocks, mean=scores.mean, deviation=scores.deviation)


def _all_crops(
    sessions: Sequence[RealSession],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    found = [(number, track) for number, session in enumerate(sessions) for track in session.tracks]
    if not found:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    number = np.concatenate([np.full(len(track.logits), number) for number, track in found])
    return (
        np.concatenate([track.logits for _, track in found]),
        np.concatenate([track.quality for _, track in found]),
        number,
    )


def _edges(quality: NDArray[np.float64], fake: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where bins begin: as many as there are crops of both classes for, equally filled with fakes."""
    count = min(_BINS, int(min(fake.sum(), (~fake).sum()) // _FEWEST_A_BIN))
    inner = np.quantile(quality[fake], np.arange(1, count) / count) if count > 1 else np.zeros(0)
    edges = np.unique(np.concatenate([np.zeros(1), inner]))
    bin_of = np.searchsorted(edges, quality, side="right") - 1
    whole = all(fake[bin_of == n].any() and (~fake[bin_of == n]).any() for n in range(len(edges)))
    return edges if whole else np.zeros(1)


def _kept(edge: float, curve: Curve) -> QualityCurve:
    return QualityCurve(least_quality=edge, kind=curve.kind, above=curve.above, below=curve.below, offset=curve.offset)
