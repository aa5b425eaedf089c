"""The statistics against theory, in few runs: `benchmarks/decision.py --table arl` has many."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.decision import _lengths, page_run_length
from monitor.decision.cusum import Cusum
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.population import Population

RUNS = 4000
CUSUM = Cusum(clip=np.inf, drift=0.5, cap=np.inf)
KNOWN_FACE = LikelihoodRatio(Population(0.0, 1e-9, 1.0, shift=1.0), switch_nats=0.0, beyond=np.inf)


@pytest.mark.parametrize("rule", [CUSUM, KNOWN_FACE])
@pytest.mark.parametrize(("mean", "threshold"), [(0.0, 3.0), (1.0, 4.0)])
def test_run_lengths_are_those_of_page_s_integral_equation(
    rule: Cusum | LikelihoodRatio, mean: float, threshold: float
) -> None:
    theory = page_run_length(mean, 0.5, threshold)
    lengths = _lengths(np.random.default_rng(0), mean, rule, threshold, RUNS, stretch=round(theory))
    assert lengths.mean() == pytest.approx(theory, abs=4 * lengths.std() / RUNS**0.5)
