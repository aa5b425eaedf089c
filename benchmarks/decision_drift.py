"""How often drift is signalled where there is none, and how soon where there is some: people recur, days differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.decision_world import STANDARD, World
from monitor.decision.drift import Drift
from monitor.decision.reference import Reference
from monitor.decision.track_scores import TrackScores

_QUORUM = 8
_BEFORE, _CHANGED, _AFTER = 40, 100, 60
"""Sessions that fit, sessions that do not, and sessions that fit again."""
_YEAR_DAYS = 365
_BANK, _LONGEST_S = 2000, 3600
Session = list[TrackScores]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a stream looks, and at whom. Scores are logits: a line of them makes no difference."""

    name: str
    a_year: int
    """Sessions."""
    pool: int
    """People that come again and again."""
    people: tuple[int, int]
    """That come in a session."""
    visits: tuple[int, int]
    """Tracks that each of them makes."""
    seconds: tuple[int, int]
    """Of a track."""
    days: float = 0.3
    """Deviation of what sessions differ by besides people."""


CAMERA = Site("camera-days", _YEAR_DAYS, pool=12, people=(2, 8), visits=(1, 5), seconds=(10, 600))
CALLS = Site("calls of 1 h", 8 * _YEAR_DAYS, pool=40, people=(1, 3), visits=(1, 1), seconds=(3600, 3600))


@dataclass(frozen=True, slots=True)
class Change:
    """By how much scores differ from the calibration's."""

    name: str
    shift: float = 0.0
    people: float = 1.0
    """Factor of how much people differ."""
    noise: float = 1.0
    """Factor of how much seconds of one person differ."""


NOTHING = Change("nothing")
CHANGES = (
    Change("0.5 higher", shift=0.5),
    Change("1.0 higher", shift=1.0),
    Change("2.0 higher", shift=2.0),
    Change("people and seconds 1.5 times as wide", people=1.5, noise=1.5),
    Change("people alone 1.5 times as wide", people=1.5),
)


class Sessions:
    """Sessions of one stream after another."""

    def __init__(self, rng: np.random.Generator, site: Site, bank: NDArray[np.float64], world: World) -> None:
        self._rng, self._site, self._bank, self._world = rng, site, bank, world
        self._pool = rng.normal(world.mean, world.people, site.pool)

    def next(self, change: Change = NOTHING) -> Session:
        """One more session, seen through a change."""
        rng, site, mean = self._rng, self._site, self._world.mean
        came = rng.choice(self._pool, rng.integers(site.people[0], site.people[1] + 1), replace=False)
        came = mean + change.people * (came - mean) + change.shift + rng.normal(0, site.days)
        visits = rng.integers(site.visits[0], site.visits[1] + 1, len(came))
        means = np.repeat(came, visits)
        noise = self._bank[rng.integers(len(self._bank), size=len(means))]
        return [
            TrackScores(int(blocks), float(person + change.noise * away), float(change.noise * deviation))
            for person, (blocks, away, deviation) in zip(means, noise, strict=True)
        ]


def bank_of(rng: np.random.Generator, site: Site, world: World, tracks: int) -> NDArray[np.float64]:
    """Blocks, mean and deviation of the noise of tracks, (tracks, 3)."""
    nobody = replace(world, mean=0.0, people=0.0)
    logits = nobody.real(rng, site.seconds[1], tracks)
    lengths = rng.integers(site.seconds[0], site.seconds[1] + 1, tracks)
    found = []
    for track, length in zip(logits.T, lengths, strict=True):
        seen = track[:length][~np.isnan(track[:length])]
        found.append((len(seen), seen.mean() if len(seen) else 0.0, seen.std() if len(seen) else 0.0))
    return np.array(found)


def begun_watch(sessions: Sessions, calibrated: int) -> Drift:
    """What watches a stream that so many of its sessions were calibrated on."""
    reference = Reference.of([sessions.next() for _ in range(calibrated)], _QUORUM)
    assert reference is not None
    return Drift(reference)


def watched(drift: Drift, session: Session) -> bool:
    """Whether a drift stands after one more session."""
    for track in session:
        if track.blocks >= _QUORUM:
            drift.add(track)
    drift.turn()
    return drift.standing is not None


@dataclass(frozen=True, slots=True)
class FalseSignals:
    """What comes where nothing changes."""

    signals: float
    """A stream and year."""
    streams: float
    """Share of streams with one within the year."""
    standing: float
    """Share of sessions in which one stands."""


def false_signals(new_sessions: Callable[[], Sessions], calibrated: int, a_year: int, streams: int) -> FalseSignals:
    """Of so many streams, each with a calibration of its own."""
    signals = np.zeros(streams)
    standing = np.zeros(streams)
    for stream in range(streams):
        sessions = new_sessions()
        drift, before = begun_watch(sessions, calibrated), False
        for _ in range(a_year):
            now = watched(drift, sessions.next())
            signals[stream] += now and not before
            standing[stream] += now
            before = now
    return FalseSignals(float(signals.mean()), float((signals > 0).mean()), float(standing.mean() / a_year))


@dataclass(frozen=True, slots=True)
class Delay:
    """Sessions, infinite where it never came."""

    noticed: NDArray[np.float64]
    stood: float
    """Share of the sessions after that, as long as the change lasted, in which the drift stood."""
    taken_back: NDArray[np.float64]


def delays(new_sessions: Callable[[], Sessions], calibrated: int, change: Change, streams: int) -> Delay:
    """Until a change is noticed, and until its end is, of streams that fitted before."""
    noticed, taken_back = np.full(streams, np.inf), np.full(streams, np.inf)
    after = stood = 0
    for stream in range(streams):
        sessions = new_sessions()
        drift = begun_watch(sessions, calibrated)
        for _ in range(_BEFORE):
            watched(drift, sessions.next())
        for number in range(_CHANGED):
            stands = watched(drift, sessions.next(change))
            if stands:
                noticed[stream] = min(noticed[stream], number + 1)
            after += np.isfinite(noticed[stream])
            stood += stands
        if drift.standing is None:
            taken_back[stream] = np.nan
            continue
        for number in range(_AFTER):
            if not watched(drift, sessions.next()):
                taken_back[stream] = number + 1
                break
    return Delay(noticed, stood / max(1, after), taken_back[~np.isnan(taken_back)])


def print_table(share: float) -> None:
    """The whole table; `share` of the streams."""
    rng = np.random.default_rng(5)
    print("False signals of drift, standard world, people recur and sessions differ by 0.3:")
    print("| sessions | calibrated on | signals a stream and year | streams with any | sessions in which one stands |")
    print("|---|---|---|---|---|")
    banks = {site.name: bank_of(rng, site, STANDARD, round(_BANK * max(0.1, share))) for site in (CAMERA, CALLS)}
    setups = ((CAMERA, 10, 200), (CAMERA, 30, 200), (CALLS, 60, 30))
    for site, calibrated, streams in setups:
        found = false_signals(_maker(rng, site, banks), calibrated, site.a_year, max(2, round(streams * share)))
        print(
            f"| {site.name} | {calibrated} | {found.signals:.3f} | {found.streams:.1%} | {found.standing:.2%} |",
            flush=True,
        )
    print()
    print(f"Sessions until a change is noticed, {_CHANGED} at the most, and until its end is:")
    print(
        "| sessions | calibrated on | what changes | noticed | median | p90 | stands after that | taken back, median |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for site, calibrated, _ in setups:
        for change in CHANGES:
            delay = delays(_maker(rng, site, banks), calibrated, change, max(2, round(60 * share)))
            cells = [f"{np.isfinite(delay.noticed).mean():.0%}", _at(delay.noticed, 0.5), _at(delay.noticed, 0.9)]
            cells += [f"{delay.stood:.0%}", _at(delay.taken_back, 0.5)]
            print(f"| {site.name} | {calibrated} | {change.name} | {' | '.join(cells)} |", flush=True)


def _maker(rng: np.random.Generator, site: Site, banks: dict[str, NDArray[np.float64]]) -> Callable[[], Sessions]:
    return lambda: Sessions(rng, site, banks[site.name], STANDARD)


def _at(sessions: NDArray[np.float64], share: float) -> str:
    value = np.quantile(sessions, share, method="lower") if len(sessions) else np.inf
    return f"{value:.0f}" if np.isfinite(value) else "never"
