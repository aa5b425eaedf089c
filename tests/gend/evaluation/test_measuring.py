"""Rows of figures, on scores written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gend.evaluation.measuring import ALL_SETS, MEAN_OF_SETS, Row, frame_sample, rows_of, video_sample
from gend.evaluation.score_files import ScoredCrop, Scores
from gend.metrics import auroc, probability


def scored(video: str, logits: list[float], group: str | None = None) -> list[ScoredCrop]:
    label = 0 if "real" in video else 1
    return [
        ScoredCrop(f"{video}/{number}.png", video, group or video, label, logit, f"{number}")
        for number, logit in enumerate(logits)
    ]


def drawn(seed: int, shift: float, videos: int = 20) -> Scores:
    """Videos of three frames, real ones and two manipulations of each."""
    rng = np.random.default_rng(seed)
    crops: list[ScoredCrop] = []
    for number in range(videos):
        real = f"set/real/{number}"
        crops += scored(real, list(rng.normal(-1, 1, 3)))
        crops += scored(f"set/swap/{number}", list(rng.normal(-1 + shift, 1, 3)), real)
        crops += scored(f"set/reenact/{number}", list(rng.normal(-1 + 2 * shift, 1, 3)), real)
    return Scores(crops)


def one(rows: list[Row], **wanted: str | None) -> Row:
    [row] = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return row


def auroc_of(row: Row) -> float:
    assert row.figures is not None
    return row.figures.auroc


def test_score_of_a_video_is_the_mean_or_the_median_of_probabilities() -> None:
    scores = Scores([*scored("s/real/a", [-5.0, 1.0, 2.0]), *scored("s/swap/b", [3.0, 0.0])])
    frames = frame_sample({"s": scores})
    p = probability(np.array([-5.0, 1.0, 2.0, 3.0, 0.0]))
    mean, median = video_sample(frames, "mean"), video_sample(frames, "median")
    assert list(mean.keys) == ["s/s/real/a", "s/s/swap/b"]
    assert mean.scores == pytest.approx([p[:3].mean(), p[3:].mean()])
    assert median.scores == pytest.approx([p[1], p[3:].mean()])
    assert list(mean.labels) == [0, 1]


def test_each_manipulation_has_a_row_against_all_real_videos() -> None:
    rows = rows_of({"ours": {"set": drawn(0, 1.0)}}, seed=0)
    whole = one(rows, level="video", pooling="mean", source=None)
    swap = one(rows, level="video", pooling="mean", source="swap")
    reenact = one(rows, level="video", pooling="mean", source="reenact")
    assert (whole.real, whole.fake, swap.real, swap.fake) == (20, 40, 20, 20)
    assert one(rows, level="frame", source=None).real == 60
    assert auroc_of(swap) < auroc_of(whole) < auroc_of(reenact)
    low, high = swap.spans["auroc"]
    assert low < auroc_of(swap) < high
    assert not [row for row in rows if row.set in (ALL_SETS, MEAN_OF_SETS)]


def test_all_sets_are_one_pot_and_their_mean_counts_them_alike() -> None:
    small, large = drawn(1, 3.0, videos=10), drawn(2, 0.2, videos=40)
    rows = rows_of({"ours": {"small": small, "large": large}}, seed=0)
    pot = one(rows, set=ALL_SETS, level="frame")
    mean = one(rows, set=MEAN_OF_SETS, level="frame")
    alone = [one(rows, set=name, level="frame", source=None) for name in ("small", "large")]
    labels = np.concatenate([small.labels, large.labels])
    logits = np.concatenate([small.logits, large.logits])
    assert auroc_of(pot) == pytest.approx(auroc(logits[labels == 0], logits[labels == 1]))
    assert auroc_of(mean) == pytest.approx((auroc_of(alone[0]) + auroc_of(alone[1])) / 2)
    assert auroc_of(pot) < auroc_of(mean)
    assert (pot.real, mean.fake) == (150, 300)


def test_other_detectors_are_told_by_their_difference_from_the_first() -> None:
    scores = drawn(0, 0.5)
    better = Scores(
        [
            ScoredCrop(crop.path, crop.video, crop.group, crop.label, crop.logit + crop.label, crop.sha256)
            for crop in scores.crops
        ]
    )
    rows = rows_of({"ours": {"set": scores}, "other": {"set": better}}, seed=0)
    ours, other = (one(rows, detector=name, level="frame", source=None) for name in ("ours", "other"))
    assert ours.difference is None
    assert other.difference is not None
    assert other.difference.value == pytest.approx(auroc_of(other) - auroc_of(ours))
    assert other.difference.low > 0


def test_a_set_of_one_class_has_a_row_without_figures_and_counts_in_the_pot() -> None:
    fakes = Scores([crop for crop in drawn(0, 1.0).crops if crop.label])
    rows = rows_of({"ours": {"fakes": fakes, "both": drawn(1, 1.0)}}, seed=0)
    alone = one(rows, set="fakes", level="video", pooling="mean", source=None)
    assert (alone.figures, alone.spans, alone.real, alone.fake) == (None, {}, 0, 40)
    assert one(rows, set=ALL_SETS, level="video", pooling="mean").fake == 80
    mean, both = (one(rows, set=name, level="frame", source=None) for name in (MEAN_OF_SETS, "both"))
    assert mean.figures == both.figures


def test_one_video_of_each_class_has_figures_and_no_interval() -> None:
    scores = Scores([*scored("s/real/a", [-1.0, 0.5]), *scored("s/swap/b", [1.0])])
    row = one(rows_of({"ours": {"s": scores}}, seed=0), level="frame")
    assert (auroc_of(row), row.spans) == (1.0, {})
