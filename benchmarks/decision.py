"""Whether alerts can be trusted: the statistic against theory, promises against what happens, delays against practice.

All in simulated worlds (`decision_world.py`) through the code that the monitor decides with.

Run: python -m benchmarks.decision (ten minutes on one core); --table for one of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.stats import norm

from benchmarks.decision_clips import clip_delays, clip_promises
from benchmarks.decision_drift import print_table
from benchmarks.decision_measures import (
    CALL_S,
    DELAY_HEADS,
    OTHERS,
    SWITCH_S,
    Judge,
    Sessions,
    found_and_when,
    kept,
    outcome,
    threshold_at,
)
from benchmarks.decision_world import HARDER, STANDARD, Blocks, Practice, World
from benchmarks.machine import described
from monitor.decision.calibration import LEAST_NATS
from monitor.decision.correlation import correlation_time
from monitor.decision.cusum import Cusum
from monitor.decision.edetector import run_lengths, shiryaev_roberts
from monitor.decision.evidence import TrackEvidence
from monitor.decision.likelihood import CLIP_NATS, LikelihoodRatio
from monitor.decision.population import Population, measure_population
from monitor.decision.promise import Aim
from monitor.decision.scores import Scorer, fit_curve

_AT_ONCE = 1000
_DAY_OF_FACES_S = 7200
_FRESH = 10_000
"""Sessions that calibrations are judged by."""


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=tuple(_TABLES))
    parser.add_argument("--share", type=float, default=1.0, help="of the sessions that are simulated")
    options = parser.parse_args()
    for name, table in _TABLES.items():
        if options.table in (None, name):
            table(options.share)
            print()
    print(described("numpy", "scipy"))


# (a) average run lengths


def _run_lengths(share: float) -> None:
    runs = round(200_000 * share)
    print(f"Average run length of the upper side, normal scores of deviation 1, {runs:,} runs:")
    print("| statistic | mean | drift | threshold | Page's integral equation | ours | ratio |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for mean, drift, threshold in ((0.0, 0.5, 3.0), (0.0, 0.5, 4.0), (1.0, 0.5, 4.0), (-0.2, 0.1, 6.0)):
        rule = Cusum(clip=np.inf, drift=drift, cap=np.inf)
        print(f"| CUSUM of log-odds | {_against_page(rng, rule, (mean, drift, threshold), runs)} |", flush=True)
    for mean, drift, threshold in ((0.0, 0.5, 3.0), (1.0, 0.5, 4.0), (-0.2, 0.25, 3.0)):
        # People are alike, so what a face is without manipulation is known: (shift / noise) times Page's CUSUM.
        shift = 2 * drift
        switch = LikelihoodRatio(Population(0.0, 1e-9, 1.0, shift), switch_nats=0.0, beyond=np.inf)
        said = _against_page(rng, switch, (mean, drift, threshold), runs, unit=shift)
        print(f"| switch of a known face | {said} |", flush=True)


def _against_page(
    rng: np.random.Generator,
    rule: Cusum | LikelihoodRatio,
    setting: tuple[float, float, float],
    runs: int,
    *,
    unit: float = 1.0,
) -> str:
    mean, drift, threshold = setting
    theory = page_run_length(mean, drift, threshold)
    lengths = _lengths(rng, mean, rule, threshold * unit, runs, stretch=max(16, round(theory)))
    error = 1.96 * lengths.std() / np.sqrt(runs)
    ours = lengths.mean()
    return f"{mean:g} | {drift:g} | {threshold:g} | {theory:.1f} | {ours:.1f} ± {error:.1f} | {ours / theory:.3f}"


def page_run_length(mean: float, drift: float, threshold: float, nodes: int = 200) -> float:
    """Blocks until the upper side reaches the threshold from 0, for independent scores of deviation 1.

    L(s) = 1 + L(0) P(next is 0 | s) + integral of L(y) p(next is y | s) dy over 0 < y < threshold (Page 1954), solved
    at Gauss-Legendre nodes (Nystroem's method).
    """
    at, weight = leggauss(nodes)
    y, weight = (at + 1) * threshold / 2, weight * threshold / 2
    states = np.concatenate([[0.0], y])
    ahead = states + mean - drift  # where the next block leads on average
    kernel = np.empty((nodes + 1, nodes + 1))
    kernel[:, 0] = norm.cdf(-ahead)
    kernel[:, 1:] = norm.pdf(y[None] - ahead[:, None]) * weight
    return float(np.linalg.solve(np.eye(nodes + 1) - kernel, np.ones(nodes + 1))[0])


def _lengths(
    rng: np.random.Generator, mean: float, rule: Cusum | LikelihoodRatio, threshold: float, runs: int, *, stretch: int
) -> Blocks:
    """By `step`'s twin for many tracks, a stretch at a time until all have arrived."""
    lengths = np.zeros(runs)
    alive, state = np.arange(runs), None
    passed = 0
    while len(alive):
        evidence, state = rule.upper(rng.normal(mean, 1, (stretch, len(alive))), state)
        reached = evidence >= threshold
        done = reached.any(axis=0)
        lengths[alive[done]] = passed + reached[:, done].argmax(axis=0) + 1
        alive, state = alive[~done], state[:, ~done]
        passed += stretch
    return lengths


# (b) promises


def _promises(share: float) -> None:
    sets = max(20, round(200 * share))
    print(f"{sets} calibrations each, standard world; false alarms a day and stream:")
    print("| sessions | promise | asked | n | promised, mean | happened, mean [95 %] | sets above what was asked |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(1)
    judge = calibrated(rng, STANDARD)
    for name, hours, seconds, per_day, n, confidence in (
        ("camera-days", 24.0, _DAY_OF_FACES_S, 0.1, 20, None),
        ("camera-days", 24.0, _DAY_OF_FACES_S, 0.1, 60, 0.95),
        ("calls of 1 h", 1.0, CALL_S, 1.0, 60, None),
        ("calls of 1 h", 1.0, CALL_S, 1.0, 120, 0.95),
        ("calls of 1 h", 1.0, CALL_S, 10.0, 30, None),
        ("calls of 1 h", 1.0, CALL_S, 10.0, 30, 0.95),
    ):
        aim = Aim(per_day, hours, confidence=confidence)
        fresh = _sessions(rng, STANDARD, judge, seconds, round(_FRESH * share))
        learnt = _sessions(rng, STANDARD, judge, seconds, sets * n)
        how = "on average" if confidence is None else f"in {confidence:.0%}"
        print(f"| {name} | {how} | {per_day:g} | {n} | {_kept(aim, learnt, fresh, n)} |", flush=True)
    print()
    print("How it fails: calls of 1 h, 1 a day asked, 60 sessions, on average")
    print("| what differs from the footage | promised, mean | happened, mean [95 %] | sets above what was asked |")
    print("|---|---|---|---|")
    aim, n, calls = Aim(1.0, 1.0), 60, round(_FRESH * share)
    learnt = _sessions(rng, STANDARD, judge, CALL_S, sets * n)
    few = [learnt[start : start + n // 6] * 6 for start in range(0, len(learnt), n)]
    repeated = [session for sixfold in few for session in sixfold]
    same = _sessions(rng, STANDARD, judge, CALL_S, calls)
    other = _sessions(rng, replace(STANDARD, mean=-2.0), judge, CALL_S, calls)
    drifted = _sessions(rng, STANDARD, judge, CALL_S, calls, drift=1.0)
    print(f"| nothing | {_kept(aim, learnt, same, n)} |")
    print(f"| another camera: all logits 1.0 higher | {_kept(aim, learnt, other, n)} |")
    print(f"| drift: 1.0 higher by the end of each call | {_kept(aim, learnt, drifted, n)} |")
    print(f"| footage of 10 calls, each given six times | {_kept(aim, repeated, same, n)} |")


def _kept(aim: Aim, learnt: Sessions, fresh: Sessions, n: int) -> str:
    sets = range(0, len(learnt), n)
    return kept(aim, [outcome(learnt[first : first + n], fresh, aim) for first in sets], shared=len(fresh))


# (c) delays


def _delays(share: float) -> None:
    tracks = round(6000 * share)
    for world in (STANDARD, HARDER):
        print(f"Seconds from manipulation to alert at equal realised false alarms, {world.name} world, calls of 1 h:")
        print(DELAY_HEADS)
        rng = np.random.default_rng(2)
        judge = calibrated(rng, world)
        practices: dict[str, Practice] = {"ours": judge.evidence}
        practices |= OTHERS
        real = world.real(rng, CALL_S, tracks)
        early = world.fake(rng, CALL_S, tracks // 3)
        late = world.fake(rng, CALL_S, tracks // 3, from_s=SWITCH_S)
        said = {name: [practice(each) for each in (real, early, late)] for name, practice in practices.items()}
        for per_day in (1.0, 3.0, 10.0):
            for name, (of_real, of_early, of_late) in said.items():
                threshold = threshold_at(of_real, per_day)
                if name == "ours":
                    threshold = max(threshold, LEAST_NATS)
                print(f"| {per_day:g} | {name} | {found_and_when(of_early, of_late, threshold)} |", flush=True)
        print()


# the alternative


def _e_detectors(share: float) -> None:
    tracks, asked = round(2000 * share), 3600.0
    print(f"Average run length of the e-detector where {asked:.0f} s are asked for, {tracks:,} real tracks of 10 h:")
    print("| world | seconds, mean (10 h where no alarm came) | tracks that alarmed within the first hour |")
    print("|---|---|---|")
    rng = np.random.default_rng(3)
    alike = World("people alike, independent seconds", noise=0.0, people=0.0)
    standard = calibrated(rng, STANDARD).scorer.curves[0]
    high = replace(STANDARD, name="standard, a person of the highest 5 %", mean=-3.0 + 1.645 * 1.2, people=0.0)
    for world, curve in ((alike, calibrated(rng, alike).scorer.curves[0]), (STANDARD, standard), (high, standard)):
        stopped = []
        for start in range(0, tracks, _AT_ONCE // 2):
            logits = world.real(rng, 10 * CALL_S, min(_AT_ONCE // 2, tracks - start))
            tau = correlation_time(list(logits.T))
            stopped.append(run_lengths(shiryaev_roberts(curve(logits) / tau), asked))
        lengths = np.concatenate(stopped)
        mean = np.minimum(lengths, 10 * CALL_S).mean()
        print(f"| {world.name} | {mean:,.0f} | {(lengths <= CALL_S).mean():.1%} |", flush=True)


# what it costs


def _costs(share: float) -> None:
    rng = np.random.default_rng(4)
    judge = calibrated(rng, STANDARD)
    scorer, rule = judge.scorer, judge.rule
    crops = rng.normal(-3, 1, round(100_000 * share))
    evidence, begun_s = TrackEvidence(rule), time.process_time()
    for block, logit in enumerate(crops):
        evidence.add(scorer.score(float(logit), 1.0), float(block))
        _ = evidence.fake, evidence.real
    alone = (time.process_time() - begun_s) / len(crops)
    scores, begun_s = rng.normal(-0.5, 1, (2000, 256)), time.process_time()
    rule.upper(scores)
    together = (time.process_time() - begun_s) / scores.size
    print("| a second of one track | µs of CPU |")
    print("|---|---|")
    print(f"| live: scored, both sides | {alone * 1e6:.1f} |")
    print(f"| 256 tracks at once, upper side | {together * 1e6:.3f} |")


# what all of them stand on


def calibrated(rng: np.random.Generator, world: World) -> Judge:
    """As a calibration makes it, of 40 people."""
    real, fake = world.real(rng, CALL_S, 40), world.fake(rng, CALL_S, 40)
    logits = np.concatenate([each[~np.isnan(each)] for each in (real, fake)])
    sessions = np.concatenate([np.broadcast_to(np.arange(40), each.shape)[~np.isnan(each)] for each in (real, fake)])
    is_fake = np.arange(len(logits)) >= (~np.isnan(real)).sum()
    curve = fit_curve(logits, is_fake, sessions)
    scores, of_fakes = (np.clip(curve(each), -CLIP_NATS, CLIP_NATS) for each in (real, logits[is_fake]))
    tracks = list(scores.T)
    rule = LikelihoodRatio(measure_population(tracks, correlation_time(tracks), of_fakes))
    return Judge(Scorer((0.0,), (curve,)), rule)


def _sessions(
    rng: np.random.Generator, world: World, judge: Judge, seconds: int, count: int, *, drift: float = 0.0
) -> Sessions:
    """The highest evidence of each track of each session."""
    tracks = rng.integers(1, 4, count)
    total = int(tracks.sum())
    stretches = [min(_AT_ONCE, total - start) for start in range(0, total, _AT_ONCE)]
    peaks = [judge.evidence(world.real(rng, seconds, each, drift=drift)).max(axis=0) for each in stretches]
    return np.split(np.concatenate(peaks), np.cumsum(tracks)[:-1])


_TABLES: dict[str, Callable[[float], None]] = {
    "arl": _run_lengths,
    "promise": _promises,
    "drift": print_table,
    "delay": _delays,
    "clips-promise": clip_promises,
    "clips-delay": clip_delays,
    "edetector": _e_detectors,
    "cost": _costs,
}

if __name__ == "__main__":
    main()
