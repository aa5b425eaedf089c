"""From sessions that are known to be real to a threshold, and what may be promised with it.

Conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster 2022). With N_i(h) the tracks of real session i
whose evidence ever reaches h, and at most B alerts raised in a session, the smallest h with

    (sum over i of min(N_i(h), B) + B) / (n + 1)  <=  r T / 24

keeps the expected number of false alarms of one more session within r a day, T being the session's hours. It holds for
any detector, good or bad, and any number n of sessions. What it asks for is that the new session is exchangeable with
those that were calibrated on: the same camera, people and light, as if all had been shuffled. And it is an average over
calibrations too: one that was unlucky in its sessions promises too much.

With a `confidence` of 0.95 at most 5 % of calibrations exceed what they promise (for independent sessions; Bates,
Angelopoulos, Lei, Malik and Jordan 2021): a bound on the expected number takes the place of the average.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv  # scipy.stats has the same under clearer names, and takes a second to load

_DAY_HOURS = 24.0
_SEARCH_STEPS = 60
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Aim:
    """What a user asks for."""

    alarms_per_day: float
    """r: false alarms accepted a day and stream."""
    session_hours: float
    """T."""
    most_alerts: int = 1
    """B: alerts that a session may raise."""
    confidence: float | None = None
    """Share of calibrations that are to keep the promise; None is the promise on average."""

    @property
    def alarms_per_session(self) -> float:
        """The same in a session: r T / 24."""
        return self.alarms_per_day * self.session_hours / _DAY_HOURS

    def per_day(self, alarms: float) -> float:
        """The same number of alarms a day as `alarms` in a session."""
        return alarms * _DAY_HOURS / self.session_hours


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold, and what may be said of it."""

    threshold: float
    """Evidence that raises an alert."""
    promised_per_day: float
    """False alarms a day and stream that are not exceeded, in the sense of `Aim.confidence`."""
    kept: bool
    """Whether that is within the aim."""
    sessions: int
    missing_hours: float
    """Real footage still needed before the aim can be promised at all; 0 where it is. With luck no more than that:
    sessions in which much speaks against a real face ask for a higher threshold, not for more footage."""


def promise(peaks: Sequence[NDArray[np.float64]], aim: Aim, *, least: float = 0.0) -> Promise:
    """The least threshold that keeps the aim, or else the highest that sessions speak for, and what that one keeps.

    Args:
        peaks: for each session that is known to be real, the highest evidence of each of its tracks, (tracks,).
        aim: what is asked for.
        least: no threshold is at or below this.

    Raises:
        ValueError: an evidence is not finite.
    """
    if any(not np.isfinite(session).all() for session in peaks):
        raise ValueError("evidence that is no number")
    n, most = len(peaks), aim.most_alerts
    bound = _bound(n, aim)
    above = _levels(peaks, least)
    alarms = _alarms(peaks, above, most)  # falls with the level
    allowed = _most_allowed(bound, aim.alarms_per_session * _ROUNDING, int(alarms[0]))
    kept = allowed is not None
    chosen = len(above) - 1 if allowed is None else int(np.argmax(alarms <= allowed))
    promised = aim.per_day(bound(int(alarms[chosen])))
    missing = 0.0 if kept else (sessions_needed(aim) - n) * aim.session_hours
    return Promise(float(above[chosen]), promised, kept, n, missing)


@dataclass(frozen=True, slots=True)
class PromiseCurve:
    """Each threshold, rising, and what may be promised with it, (n,)."""

    thresholds: NDArray[np.float64]
    promised_per_day: NDArray[np.float64]
    seen_per_day: NDArray[np.float64]
    """False alarms that the sessions themselves would have had."""


def promise_curve(
    peaks: Sequence[NDArray[np.float64]], aim: Aim, *, least: float = 0.0, points: int = 200
) -> PromiseCurve:
    """What each threshold promises, whatever is asked for.

    Args:
        peaks: for each session that is known to be real, the highest evidence of each of its tracks, (tracks,).
        aim: length of sessions, alerts that one may raise, and confidence.
        least: no threshold is at or below this.
        points: so many at the most; the highest is one of them.
    """
    n, most = len(peaks), aim.most_alerts
    bound = _bound(n, aim)
    above = _levels(peaks, least)
    alarms = _alarms(peaks, above, most)
    changes = np.flatnonzero(np.append(True, np.diff(alarms) != 0))
    chosen = np.unique(changes[np.linspace(0, len(changes) - 1, min(points, len(changes))).round().astype(int)])
    promised = np.array([aim.per_day(bound(int(alarms[number]))) for number in chosen])
    return PromiseCurve(above[chosen], promised, np.array([aim.per_day(alarms[number] / n) for number in chosen]))


def realised(peaks: Sequence[NDArray[np.float64]], threshold: float, most_alerts: int) -> float:
    """Alerts a session, on average, that this threshold raises."""
    return float(_alarms(peaks, np.array([threshold]), most_alerts)[0]) / len(peaks)


def sessions_needed(aim: Aim) -> int:
    """The fewest sessions with which the aim can be promised, if none of them raises an alert."""
    per_session = aim.alarms_per_session

    def enough(n: int) -> bool:
        return _bound(n, aim)(0) <= per_session * _ROUNDING

    high = 1
    while not enough(high):
        high *= 2
    low = high // 2  # not enough, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _most_allowed(bound: Callable[[int], float], aim: float, most: int) -> int | None:
    """The largest number of alarms, up to `most`, whose bound is within the aim; None where not even 0 is."""
    if bound(0) > aim:
        return None
    low, high = 0, most + 1  # within the aim, and not (or not asked for)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound(middle) <= aim else (low, middle)
    return low


def _levels(peaks: Sequence[NDArray[np.float64]], least: float) -> NDArray[np.float64]:
    """Every threshold that matters, rising: just above a peak, which then does not count any more."""
    levels = np.unique(np.maximum(least, np.concatenate([np.full(1, least), *peaks])))
    above: NDArray[np.float64] = np.nextafter(levels, np.inf)
    return above


def _alarms(peaks: Sequence[NDArray[np.float64]], levels: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Of all sessions together at each level: sum of min(N_i(h), B)."""
    total = np.zeros(len(levels), dtype=np.int64)
    for session in peaks:
        reached = len(session) - np.searchsorted(np.sort(session), levels, side="left")
        total += np.minimum(reached, most)
    return total


def _bound(n: int, aim: Aim) -> Callable[[int], float]:
    """Alarms counted in n sessions → expected alarms of one more, in the sense of the aim."""
    if aim.confidence is None:
        return _mean_bound(n, aim.most_alerts)
    return _sure_bound(n, aim.most_alerts, aim.confidence)


def _mean_bound(n: int, most: int) -> Callable[[int], float]:
    """Of conformal risk control: alarms counted in n sessions → expected alarms of one more."""
    return lambda alarms: (alarms + most) / (n + 1)


def _sure_bound(n: int, most: int, confidence: float) -> Callable[[int], float]:
    """Alarms counted in n sessions → expected alarms of one more, exceeded by 1 - confidence of calibrations.

    Sessions that raise one alert at the most are coins: Clopper and Pearson's bound is exact. Else that of Hoeffding
    and Bentkus for means of anything between 0 and B, as Bates et al. give it.
    """
    error = 1 - confidence

    def exact(alarms: int) -> float:
        return 1.0 if alarms >= n else float(betaincinv(alarms + 1, n - alarms, confidence))

    def general(alarms: int) -> float:
        share = alarms / (n * most) if n else 1.0
        low, high = share, 1.0
        for _ in range(_SEARCH_STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if _unlikely(share, middle, n) <= error else (middle, high)
        return high * most

    return exact if most == 1 else general


def _unlikely(share: float, mean: float, n: int) -> float:
    """A bound on the probability of an average of n numbers in [0, 1] as low as `share` where they mean `mean`."""
    if mean >= 1:
        return 0.0
    hoeffding = math.exp(-n * _divergence(min(share, mean), mean))
    bentkus = math.e * float(bdtr(math.ceil(n * share), n, mean))
    return min(hoeffding, bentkus)


def _divergence(a: float, b: float) -> float:
    """Of a coin that falls a from one that falls b, nats."""
    of_heads = a * math.log(a / b) if a > 0 else 0.0
    of_tails = (1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0
    return of_heads + of_tails
