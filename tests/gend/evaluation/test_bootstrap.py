"""Intervals, against what the spread of figures really is."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from gend.evaluation.bootstrap import auroc_difference, paired_auroc, spans
from gend.metrics import NAMES, auroc, measure


def test_spans_hold_every_figure_and_narrow_with_more_videos() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((0, 1), 400)
    scores = rng.normal(labels, 1.0)
    few = np.arange(len(labels)) % 10 == 0
    many_spans = spans(scores, labels, np.arange(len(labels)))
    few_spans = spans(scores[few], labels[few], np.arange(few.sum()))
    found = measure(scores, labels)
    assert set(many_spans) == set(NAMES)
    for name in ("auroc", "average_precision", "eer", "balanced_accuracy", "wasserstein"):
        low, high = many_spans[name]
        assert low < getattr(found, name) < high, name
        assert high - low < few_spans[name][1] - few_spans[name][0], name


def test_span_is_as_wide_as_the_figure_really_varies() -> None:
    """AUROC of 100 and 100, drawn anew a thousand times, against the intervals of one such draw."""
    rng = np.random.default_rng(1)
    real, fake = rng.normal(0, 1, (1000, 100)), rng.normal(1, 1, (1000, 100))
    drawn = [auroc(r, f) for r, f in zip(real, fake, strict=True)]
    labels = np.repeat((0, 1), 100)
    widths = [np.diff(spans(np.concatenate([real[n], fake[n]]), labels, np.arange(200))["auroc"])[0] for n in range(20)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert np.mean(widths) == pytest.approx(high - low, rel=0.15)


def test_copies_of_a_frame_do_not_make_it_surer() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((0, 1), 40)
    scores, videos = rng.normal(labels, 1.0), np.arange(80)
    alone = spans(scores, labels, videos)["auroc"]
    tenfold = spans(np.repeat(scores, 10), np.repeat(labels, 10), np.repeat(videos, 10))["auroc"]
    pretended = spans(np.repeat(scores, 10), np.repeat(labels, 10), np.arange(800))["auroc"]
    assert tenfold == pytest.approx(alone, abs=0.02)
    assert pretended[1] - pretended[0] < 0.5 * (alone[1] - alone[0])


def test_too_few_videos_have_no_interval() -> None:
    labels = np.array([0, 1] * 20)
    scores = np.linspace(0, 1, 40)
    assert spans(scores, labels, np.zeros(40, int)) == {}
    assert auroc_difference(scores, scores, labels, np.zeros(40, int)) is None
    assert spans(scores, labels, np.arange(40)) != {}


def test_resamplings_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((0, 1), 50)
    scores = rng.normal(labels, 1.0)
    whole = spans(scores, labels, np.arange(100))
    monkeypatch.setattr("gend.evaluation.bootstrap._CHUNK_CELLS", 700)
    assert spans(scores, labels, np.arange(100))["auroc"] == pytest.approx(whole["auroc"], abs=0.03)


def test_of_many_scores_neighbours_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    scores = np.round(rng.normal(labels, 1.0), 3)
    exact = spans(scores, labels, np.arange(3000) // 3, resamplings=200)
    monkeypatch.setattr("gend.evaluation.bootstrap._MOST_THRESHOLDS", 500)
    rough = spans(scores, labels, np.arange(3000) // 3, resamplings=200)
    for name in ("auroc", "average_precision", "eer", "accuracy", "tpr_at_fpr_5_percent", "wasserstein"):
        assert rough[name] == pytest.approx(exact[name], abs=0.01), name


def test_a_resampling_counts_groups_as_copies_would(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    groups, labels = np.arange(60) // 3, np.tile((0, 0, 1), 20)
    scores = rng.integers(0, 9, 60) / 8
    copies = np.arange(20) % 4
    monkeypatch.setattr("gend.evaluation.bootstrap._draws", lambda *_: iter([copies[None].astype(float)]))
    drawn = spans(scores, labels, groups)
    copied = measure(np.repeat(scores, copies[groups]), np.repeat(labels, copies[groups]))
    assert copied is not None
    assert {name: low for name, (low, _) in drawn.items()} == pytest.approx(asdict(copied))


def test_difference_is_surer_than_each_alone() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((0, 1), 100)
    scores = rng.normal(labels, 1.0)
    better = scores + 0.3 * labels + rng.normal(0, 0.05, 200)
    difference = auroc_difference(scores, better, labels, np.arange(200))
    assert difference is not None
    assert 0 < difference.low < difference.value < difference.high
    low, high = spans(scores, labels, np.arange(200))["auroc"]
    assert difference.high - difference.low < high - low


def test_paired_auroc_interval_holds_the_value_and_narrows_with_more_pairs() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(0, 1, 800)
    fake = rng.normal(1, 1, 800)
    few, many = paired_auroc(real[:50], fake[:50]), paired_auroc(real, fake)
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low
