"""The promises and delays of `decision.py` on the demo encoder's logits of real people and the same manipulated.

The logits come out of a cache (`decision_footage.py` makes it). A call holds one to three tracks, each an hour of one
person: stretches of 20 s of one recorded call of theirs, drawn with replacement. So seconds are as like each other as
they were, but there are no more people than there are, and an hour holds nothing that 48 s do not. Curves, correlation
time and threshold come from people who are not among those that are judged by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_logits import Call, Logits, read
from benchmarks.decision_measures import (
    CALL_S,
    DELAY_HEADS,
    OTHERS,
    SWITCH_S,
    Judge,
    Sessions,
    alarms_at,
    found_and_when,
    kept,
    outcome,
    threshold_at,
)
from benchmarks.decision_world import Blocks
from monitor.decision.calibration import LEAST_NATS
from monitor.decision.correlation import correlation_time
from monitor.decision.fitting import Fakes, RealSession, fit
from monitor.decision.likelihood import LikelihoodRatio
from monitor.decision.promise import Aim

_STRETCH_S = 20
_MANIPULATIONS = {"lowres": "re-made at low resolution", "selfblend": "blended with itself"}
_FRESH = 240
"""Sessions that a calibration is judged by."""
_FOLDS = 5
_RATES = (1.0, 3.0, 10.0)
People = dict[int, list[Call]]


_by_second = cache(Call.by_second)


@cache
def _cached() -> Logits:
    return read()


# (d) promises


def clip_promises(share: float) -> None:
    """Prints what is promised and what happens, people kept apart or not."""
    splits = max(3, round(100 * share))
    people = _people(_cached())
    _tell_logits(_cached(), people)
    print()
    print(f"{splits} splits of the people into two halves, one to calibrate on; calls of 1 h, false alarms a day:")
    print("| people | promise | asked | n | promised, mean | happened, mean [95 %] | sets above what was asked |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(5)
    aims = (
        (Aim(10.0, 1.0), 30),
        (Aim(10.0, 1.0, confidence=0.95), 30),
        (Aim(1.0, 1.0), 60),
        (Aim(1.0, 1.0, confidence=0.95), 120),
    )
    once, apart, mixed = "others, each in one call", "others, in several calls each", "the same, other calls"
    rows: dict[tuple[str, Aim, int], list[tuple[float, float]]] = {}
    most = max(n for _, n in aims)
    for _ in range(splits):
        mine, others = _halves(rng, people)
        judge = _fitted(mine)
        alone, alone_others = [[person] for person in mine], [[person] for person in others]
        calls = [alone, alone_others, _drawn(rng, mine, most), _drawn(rng, others, _FRESH)]
        calls += [_drawn(rng, people, most), _drawn(rng, people, _FRESH)]
        learnt_once, fresh_once, learnt, fresh, learnt_mixed, fresh_mixed = _judged(rng, people, calls, judge)
        for aim, n in aims:
            if aim.alarms_per_day == 10:
                rows.setdefault((once, aim, len(mine)), []).append(outcome(learnt_once, fresh_once, aim))
            rows.setdefault((apart, aim, n), []).append(outcome(learnt[:n], fresh, aim))
            rows.setdefault((mixed, aim, n), []).append(outcome(learnt_mixed[:n], fresh_mixed, aim))
    for (name, aim, n), outcomes in sorted(rows.items(), key=lambda row: (once, apart, mixed).index(row[0][0])):
        how = "on average" if aim.confidence is None else f"in {aim.confidence:.0%}"
        print(f"| {name} | {how} | {aim.alarms_per_day:g} | {n} | {kept(aim, outcomes)} |", flush=True)


def _tell_logits(logits: Logits, people: People) -> None:
    """What world this is, in the figures of `decision_world.py`."""
    tau = correlation_time([call.by_second("real") for call in logits.calls])
    crops = sum(len(call.second) for call in logits.calls)
    print(
        f"{len(people)} people in {len(logits.calls)} calls, {crops:,} crops; correlation time {tau:.1f} s; "
        f"weights {logits.sha256[:12]} ({logits.made})"
    )
    print(
        "| logits | mean | deviation of people's means | deviation within a call | manipulated above real, of calls |"
    )
    print("|---|---|---|---|---|")
    for kind, name in {"real": "real", **_MANIPULATIONS}.items():
        means = [np.concatenate([getattr(call, kind) for call in calls]).mean() for calls in people.values()]
        within = np.sqrt(np.mean([getattr(call, kind).var() for call in logits.calls]))
        ahead = np.mean([getattr(call, kind).mean() > call.real.mean() for call in logits.calls])
        said = "" if kind == "real" else f"{ahead:.0%}"
        print(f"| {name} | {np.mean(means):.2f} | {np.std(means):.2f} | {within:.2f} | {said} |")


# (d) delays


def clip_delays(share: float) -> None:
    """Prints how soon manipulated faces are found at equal realised false alarms."""
    each = max(2, round(40 * share))
    people = _people(_cached())
    rng = np.random.default_rng(6)
    folds = np.array_split(rng.permutation(list(people)), _FOLDS)
    shown: dict[str, list[Blocks]] = {}
    ours: dict[str, list[Blocks]] = {}
    for fold in folds:
        out = {person: people[person] for person in fold.tolist()}
        judge = _fitted({person: calls for person, calls in people.items() if person not in out})
        real = _hours(rng, out, list(out) * each)
        fakes = list(out) * max(1, each // 3)
        hours = {"real": real}
        for kind in _MANIPULATIONS:
            hours[f"{kind} early"] = _hours(rng, out, fakes, kind, 0)
            hours[f"{kind} late"] = _hours(rng, out, fakes, kind, SWITCH_S)
        for what, (logits, quality) in hours.items():
            shown.setdefault(what, []).append(logits)
            ours.setdefault(what, []).append(judge.evidence(logits, quality))
    said: dict[str, dict[str, Blocks]] = {}
    for what, parts in shown.items():
        logits = np.concatenate(parts, axis=1)
        said[what] = {"ours": np.concatenate(ours[what], axis=1)}
        said[what] |= {name: practice(logits) for name, practice in OTHERS.items()}
    for kind, manipulation in _MANIPULATIONS.items():
        print(f"Seconds from manipulation to alert at equal realised false alarms, faces {manipulation}, calls of 1 h:")
        print(DELAY_HEADS)
        for per_day in _RATES:
            for name, of_real in said["real"].items():
                threshold = threshold_at(of_real, per_day)
                happens = per_day
                if name == "ours" and threshold < LEAST_NATS:
                    threshold, happens = LEAST_NATS, alarms_at(of_real, LEAST_NATS)
                cells = found_and_when(said[f"{kind} early"][name], said[f"{kind} late"][name], threshold)
                fewer = "" if happens == per_day else f", by the least threshold {happens:.1f}"
                print(f"| {per_day:g}{fewer} | {name} | {cells} |", flush=True)
        print()


# what both stand on


def _people(logits: Logits) -> People:
    people: People = {}
    for call in logits.calls:
        people.setdefault(call.person, []).append(call)
    return people


def _halves(rng: np.random.Generator, people: People) -> tuple[People, People]:
    order = rng.permutation(list(people)).tolist()
    middle = len(order) // 2
    mine, others = ({person: people[person] for person in half} for half in (order[:middle], order[middle:]))
    return mine, others


def _fitted(people: People) -> Judge:
    """As `calibrate` makes it: a session of each person's calls, and every other crop blended with itself."""
    sessions = [
        RealSession(str(person), tuple(call.crops() for call in calls)) for person, calls in sorted(people.items())
    ]
    logits, quality, number = [], [], []
    for session, (_, calls) in enumerate(sorted(people.items())):
        for call in calls:
            logits.append(call.curve[::2])
            quality.append(call.quality[::2])
            number.append(np.full(len(call.curve[::2]), session))
    fitted = fit(sessions, Fakes(np.concatenate(logits), np.concatenate(quality), np.concatenate(number)))
    return Judge(fitted.scorer, LikelihoodRatio(fitted.population))


def _drawn(rng: np.random.Generator, people: People, count: int) -> list[list[int]]:
    """Who is in each of so many calls: one to three people, drawn with replacement."""
    return [rng.choice(list(people), size=rng.integers(1, 4)).tolist() for _ in range(count)]


def _judged(rng: np.random.Generator, people: People, pools: Sequence[list[list[int]]], judge: Judge) -> list[Sessions]:
    """The highest evidence of each track of each call, of several pools of calls at once, an hour each."""
    who = [person for pool in pools for call in pool for person in call]
    logits, quality = _hours(rng, people, who)
    peaks = judge.evidence(logits, quality).max(axis=0)
    calls = np.split(peaks, np.cumsum([len(call) for pool in pools for call in pool])[:-1])
    ends = np.cumsum([len(pool) for pool in pools])
    return [calls[end - len(pool) : end] for pool, end in zip(pools, ends.tolist(), strict=True)]


def _hours(
    rng: np.random.Generator, people: People, who: Sequence[int], kind: str = "real", from_s: int = CALL_S
) -> tuple[Blocks, Blocks]:
    """An hour of each person named, manipulated from a second on: logits and qualities, (seconds, tracks)."""
    tracks = [_hour(rng, people[person], kind, from_s) for person in who]
    return np.stack([logits for logits, _ in tracks], axis=1), np.stack([quality for _, quality in tracks], axis=1)


def _hour(
    rng: np.random.Generator, calls: Sequence[Call], kind: str, from_s: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    call = calls[int(rng.integers(len(calls)))]
    real, manipulated, quality = (_by_second(call, each) for each in ("real", kind, "quality"))
    begins = rng.integers(len(real), size=-(-CALL_S // _STRETCH_S))
    seconds = ((begins[:, None] + np.arange(_STRETCH_S)) % len(real)).ravel()[:CALL_S]
    logits = np.where(np.arange(CALL_S) < from_s, real[seconds], manipulated[seconds])
    return logits, quality[seconds]
