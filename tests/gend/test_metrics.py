"""Figures, against scikit-learn, SciPy and what they mean."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.errors import GendError
from gend.metrics import auroc, measure, probability

Case = tuple[NDArray[np.float64], NDArray[np.int64]]


def _cases() -> dict[str, Case]:
    rng = np.random.default_rng(0)
    tied = rng.integers(0, 6, 70) / 5
    return {
        "ties": (tied, (rng.random(70) < 0.3 + 0.5 * tied).astype(np.int64)),
        "no ties": (rng.random(501), rng.integers(0, 2, 501)),
        "all the same": (np.full(7, 0.5), np.array([0, 1, 0, 1, 1, 0, 0])),
        "perfect": (np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])),
        "the wrong way round": (np.array([0.9, 0.8, 0.2, 0.1]), np.array([0, 0, 1, 1])),
        "one of each": (np.array([0.4, 0.6]), np.array([0, 1])),
        "one fake in a thousand": (rng.random(1000), (np.arange(1000) == 3).astype(np.int64)),
    }


@pytest.mark.parametrize("name", _cases())
def test_figures_equal_scikit_learn(name: str) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    scores, labels = _cases()[name]
    found = measure(scores, labels)
    assert found is not None
    assert found.auroc == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-12)
    assert found.average_precision == pytest.approx(sklearn.average_precision_score(labels, scores), abs=1e-12)
    said = scores >= found.eer_threshold
    assert found.accuracy == pytest.approx(sklearn.accuracy_score(labels, said))
    assert found.balanced_accuracy == pytest.approx(sklearn.balanced_accuracy_score(labels, said))
    assert found.f1 == pytest.approx(sklearn.f1_score(labels, said, zero_division=0))
    best = scores >= found.best_f1_threshold
    assert found.best_f1 == pytest.approx(sklearn.f1_score(labels, best))
    assert found.best_f1 == pytest.approx(max(sklearn.f1_score(labels, scores >= each) for each in scores))
    fpr, tpr, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    for limit, value in (
        (0.001, found.tpr_at_fpr_0_1_percent),
        (0.01, found.tpr_at_fpr_1_percent),
        (0.05, found.tpr_at_fpr_5_percent),
    ):
        assert value == pytest.approx(tpr[fpr <= limit].max())
    gap = np.abs(fpr - (1 - tpr))[1:]
    assert abs((1 - sklearn.recall_score(labels, said)) - said[labels == 0].mean()) == pytest.approx(gap.min())


@pytest.mark.parametrize("name", _cases())
def test_wasserstein_equals_scipy(name: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    scores, labels = _cases()[name]
    found = measure(scores, labels)
    assert found is not None
    assert found.wasserstein == pytest.approx(stats.wasserstein_distance(scores[labels == 0], scores[labels == 1]))


@pytest.mark.parametrize("name", _cases())
def test_eer_is_where_the_roc_curve_crosses_the_diagonal(name: str) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    sklearn = pytest.importorskip("sklearn.metrics")
    scores, labels = _cases()[name]
    found = measure(scores, labels)
    fpr, tpr, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    along = np.arange(len(fpr))

    def gap(at: float) -> float:
        return float(np.interp(at, along, fpr) - 1 + np.interp(at, along, tpr))

    crossing = optimize.brentq(gap, 0, len(fpr) - 1)
    assert found is not None
    assert found.eer == pytest.approx(np.interp(crossing, along, fpr), abs=1e-9)


def test_by_hand() -> None:
    """Two of three fakes lie above both real ones, the third between them."""
    found = measure(np.array([0.2, 0.6, 0.4, 0.7, 0.9]), np.array([0, 0, 1, 1, 1]))
    assert found is not None
    assert asdict(found) == pytest.approx(
        {
            "auroc": 5 / 6,
            "average_precision": (1 + 1 + 3 / 4) / 3,
            "eer": 1 / 3,
            "eer_threshold": 0.6,
            "accuracy": 3 / 5,
            "balanced_accuracy": 7 / 12,
            "f1": 2 / 3,
            "best_f1": 6 / 7,
            "best_f1_threshold": 0.4,
            "tpr_at_fpr_0_1_percent": 2 / 3,
            "tpr_at_fpr_1_percent": 2 / 3,
            "tpr_at_fpr_5_percent": 2 / 3,
            "wasserstein": 0.8 / 3,
        }
    )


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_no_figures(label: int) -> None:
    assert measure(np.array([0.1, 0.2, 0.3]), np.full(3, label)) is None


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(GendError, match="1 of 3 scores are not numbers"):
        measure(np.array([0.1, np.nan, 0.3]), np.array([0, 1, 1]))


def test_auroc_is_the_share_of_ordered_pairs() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 6, 40).astype(float), rng.integers(2, 8, 30).astype(float)
    above = (fake[:, None] > real).mean() + 0.5 * (fake[:, None] == real).mean()
    assert auroc(real, fake) == pytest.approx(above)


def test_probability_of_log_odds() -> None:
    assert probability(np.array([0.0, np.log(9), -2000, 2000])) == pytest.approx([0.5, 0.9, 0, 1])
