"""From scores to rows of figures: frames and videos, each set, each manipulation in it, and all sets together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gend.data.crop_files import REAL
from gend.evaluation.bootstrap import Interval, Span, auroc_difference, spans
from gend.evaluation.score_files import Scores
from gend.metrics import NAMES, Figures, Floats, measure, probability

Level = Literal["frame", "video"]
Pooling = Literal["mean", "median"]
ALL_SETS = "all sets"
"""The crops of all sets in one pot."""
MEAN_OF_SETS = "mean of sets"


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSample:
    """What figures are taken of: scores of frames or of videos."""

    scores: Floats
    """(n,) p(fake)."""
    labels: NDArray[np.int64]
    """(n,), 0 real, 1 fake."""
    groups: NDArray[np.int64]
    """(n,) what is drawn together in a bootstrap."""
    sources: NDArray[np.str_]
    """(n,) the source of each: `real`, or which manipulation."""
    keys: NDArray[np.str_]
    """(n,) the video of each."""

    def where(self, chosen: NDArray[np.bool_]) -> ScoredSample:
        """A part of it."""
        parts = (self.scores, self.labels, self.groups, self.sources, self.keys)
        return ScoredSample(*(part[chosen] for part in parts))  # type: ignore[arg-type]

    def count(self, label: int) -> int:
        """How many have a label."""
        return int((self.labels == label).sum())


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one detector on one sample."""

    detector: str
    set: str
    """Name of a set, `all sets` or `mean of sets`."""
    source: str | None
    """One manipulation of the set, against all its real videos; None: all of them."""
    level: Level
    pooling: Pooling | None
    """How frames make the score of a video; None for frames."""
    real: int
    """Frames or videos."""
    fake: int
    figures: Figures | None
    """None where a class is missing."""
    spans: Mapping[str, Span]
    """Both ends of the 95 % interval of each figure; empty where there are too few videos."""
    difference: Interval | None
    """AUROC less that of the first detector."""


class _Place(NamedTuple):
    """The first fields of a row."""

    detector: str
    set: str
    source: str | None
    level: Level
    pooling: Pooling | None


def frame_sample(sets: Mapping[str, Scores]) -> ScoredSample:
    """All frames of some sets."""
    crops = [(name, crop) for name, scores in sets.items() for crop in scores.crops]
    groups = [f"{name}/{crop.group}" for name, crop in crops]
    return ScoredSample(
        scores=probability(np.array([crop.logit for _, crop in crops], np.float64)),
        labels=np.array([crop.label for _, crop in crops], np.int64),
        groups=np.unique(np.array(groups, np.str_), return_inverse=True)[1].astype(np.int64),
        sources=np.array([crop.video.split("/")[1] for _, crop in crops], np.str_),
        keys=np.array([f"{name}/{crop.video}" for name, crop in crops], np.str_),
    )


def video_sample(frames: ScoredSample, pooling: Pooling) -> ScoredSample:
    """One score per video: the mean, or the median, of its frames' p(fake)."""
    _, first, of = np.unique(frames.keys, return_index=True, return_inverse=True)
    order = np.lexsort((frames.scores, of))
    ranked, counts = frames.scores[order], np.bincount(of)
    starts = np.cumsum(counts) - counts
    if pooling == "mean":
        scores = np.add.reduceat(ranked, starts) / counts
    else:
        scores = (ranked[starts + (counts - 1) // 2] + ranked[starts + counts // 2]) / 2
    return ScoredSample(scores, frames.labels[first], frames.groups[first], frames.sources[first], frames.keys[first])


def rows_of(scores: Mapping[str, Mapping[str, Scores]], seed: int) -> list[Row]:
    """All rows.

    Args:
        scores: of each detector, by its name, of each set, by its name.
        seed: of the bootstrap.
    """
    first = next(iter(scores))
    rows: list[Row] = []
    for detector, sets in scores.items():
        other = None if detector == first else scores[first]
        for name in sets:
            rows += _rows(detector, name, {name: sets[name]}, other, seed)
        if len(sets) > 1:
            rows += _rows(detector, ALL_SETS, sets, other, seed)
            rows += _means([row for row in rows if row.detector == detector])
    return rows


def _rows(
    detector: str, name: str, sets: Mapping[str, Scores], other: Mapping[str, Scores] | None, seed: int
) -> list[Row]:
    frames = frame_sample(sets)
    others = None if other is None else frame_sample({name: other[name] for name in sets})
    levels: tuple[tuple[Level, Pooling | None], ...] = (("video", "mean"), ("video", "median"), ("frame", None))
    rows = []
    for level, pooling in levels:
        sample = frames if pooling is None else video_sample(frames, pooling)
        against = others if others is None or pooling is None else video_sample(others, pooling)
        rows.append(_row(_Place(detector, name, None, level, pooling), sample, against, seed))
        fakes = sorted(set(sample.sources[sample.labels != REAL]))
        if name == ALL_SETS or len(fakes) < 2:
            continue
        for source in fakes:
            chosen = (sample.labels == REAL) | (sample.sources == source)
            part = None if against is None else against.where(chosen)
            place = _Place(detector, name, str(source), level, pooling)
            rows.append(_row(place, sample.where(chosen), part, seed))
    return rows


def _row(place: _Place, sample: ScoredSample, against: ScoredSample | None, seed: int) -> Row:
    figures = measure(sample.scores, sample.labels)
    difference = None
    if figures is not None and against is not None and np.array_equal(against.keys, sample.keys):
        difference = auroc_difference(against.scores, sample.scores, sample.labels, sample.groups, seed=seed)
    known = {} if figures is None else spans(sample.scores, sample.labels, sample.groups, seed=seed)
    return Row(*place, sample.count(0), sample.count(1), figures, known, difference)


def _means(rows: Sequence[Row]) -> list[Row]:
    """The mean over sets of each figure, every set counting alike; sets without figures are left out."""
    means = []
    for level, pooling in dict.fromkeys((row.level, row.pooling) for row in rows):
        of_sets = [
            row
            for row in rows
            if (row.level, row.pooling, row.source) == (level, pooling, None) and row.set != ALL_SETS
        ]
        known = [row.figures for row in of_sets if row.figures is not None]
        mean = Figures(**{name: fmean(getattr(each, name) for each in known) for name in NAMES}) if known else None
        real, fake = sum(row.real for row in of_sets), sum(row.fake for row in of_sets)
        means.append(Row(rows[0].detector, MEAN_OF_SETS, None, level, pooling, real, fake, mean, {}, None))
    return means
