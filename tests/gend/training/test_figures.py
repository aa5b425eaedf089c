"""Figures, against what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from gend.training.figures import auroc, paired_auroc, probability


def test_auroc_is_the_share_of_ordered_pairs() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 6, 40).astype(float), rng.integers(2, 8, 30).astype(float)
    above = (fake[:, None] > real).mean() + 0.5 * (fake[:, None] == real).mean()
    assert auroc(real, fake) == pytest.approx(above)


def test_paired_auroc_interval_holds_the_value_and_narrows_with_more_pairs() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(0, 1, 800)
    fake = rng.normal(1, 1, 800)
    few, many = paired_auroc(real[:50], fake[:50]), paired_auroc(real, fake)
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low


def test_probability_of_log_odds() -> None:
    assert probability(np.array([0.0, np.log(9)])) == pytest.approx([0.5, 0.9])
