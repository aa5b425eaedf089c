"""How figures fall as pictures get worse: which corruptions, and the rows that come of their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gend.evaluation.bootstrap import Interval, Span, auroc_difference, spans
from gend.evaluation.config import RobustnessSection
from gend.evaluation.corruptions import Corruption
from gend.evaluation.measuring import frame_sample, video_sample
from gend.evaluation.score_files import Scores
from gend.metrics import Figures, measure


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """One detector on all sets' videos under one corruption, by the mean over frames."""

    detector: str
    corruption: Corruption | None
    """None: the same crops as they are."""
    real: int
    """Videos."""
    fake: int
    figures: Figures | None
    spans: Mapping[str, Span]
    difference: Interval | None
    """AUROC less that of the same crops as they are."""


def corruptions(section: RobustnessSection) -> list[Corruption]:
    """All that are asked for."""
    return [
        *(Corruption("jpeg", quality) for quality in section.jpeg),
        *(Corruption("blur", sigma) for sigma in section.blur),
        *(Corruption("resize", px, name) for name in section.interpolations for px in section.resize),
        *(Corruption("noise", sigma) for sigma in section.noise),
        *(Corruption("h264", crf) for crf in section.h264),
    ]


def robustness_rows(
    detector: str, scores: Mapping[Corruption | None, Mapping[str, Scores]], seed: int
) -> list[RobustnessRow]:
    """The rows of one detector.

    Args:
        detector: its name.
        scores: of each set, by its name, under each corruption; None: as they are.
        seed: of the bootstrap.
    """
    clean = video_sample(frame_sample(scores[None]), "mean")
    rows = []
    for corruption, sets in scores.items():
        sample = video_sample(frame_sample(sets), "mean")
        figures = measure(sample.scores, sample.labels)
        difference = None
        if figures is not None and corruption is not None and list(sample.keys) == list(clean.keys):
            difference = auroc_difference(clean.scores, sample.scores, sample.labels, sample.groups, seed=seed)
        known = {} if figures is None else spans(sample.scores, sample.labels, sample.groups, seed=seed)
        counts = sample.count(0), sample.count(1)
        rows.append(RobustnessRow(detector, corruption, *counts, figures, known, difference))
    return rows
