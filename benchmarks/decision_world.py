"""A world to judge decisions in: logits of real and manipulated people, a second at a time, and what others do.

Standard: logit = mean of the person + AR(1) noise (0.8, deviation 1); people's means are normal (-3.0, 1.2); a
manipulated face is 3.0 higher from its switch on; a quarter of the seconds is missing, in runs of 4 on average; one to
three tracks a session. Harder: noise 0.95, people 2.0, manipulated 1.5 higher.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Blocks = NDArray[np.float64]
"""(seconds, tracks); NaN where a second is missing."""
Practice = Callable[[Blocks], Blocks]
"""Logits → what is compared with a threshold after each second, (seconds, tracks)."""

_MISSING, _RUN_S = 0.25, 4.0


@dataclass(frozen=True, slots=True)
class World:
    """How logits come about."""

    name: str
    noise: float = 0.8
    """By how much a second is like the one before."""
    mean: float = -3.0
    people: float = 1.2
    """Deviation of people's means."""
    shift: float = 3.0

    def real(self, rng: np.random.Generator, seconds: int, tracks: int, *, drift: float = 0.0) -> Blocks:
        """Real people; `drift` is added to all over the time."""
        scatter = np.sqrt(1 - self.noise**2)
        shocks = rng.standard_normal((seconds, tracks)) * scatter
        shocks[0] /= scatter
        logits: Blocks = lfilter([1.0], [1.0, -self.noise], shocks, axis=0)
        logits += rng.normal(self.mean, self.people, tracks) + drift * np.linspace(0, 1, seconds)[:, None]
        logits[_missing(rng, seconds, tracks)] = np.nan
        return logits

    def fake(self, rng: np.random.Generator, seconds: int, tracks: int, from_s: int = 0) -> Blocks:
        """People who are manipulated from a second on."""
        logits = self.real(rng, seconds, tracks)
        logits[from_s:] += self.shift
        return logits


STANDARD = World("standard")
HARDER = World("harder", noise=0.95, people=2.0, shift=1.5)


def _missing(rng: np.random.Generator, seconds: int, tracks: int) -> NDArray[np.bool_]:
    """A chain of two states, missing and not, begun where it would be after a long time."""
    leave = 1 / _RUN_S
    enter = leave * _MISSING / (1 - _MISSING)
    drawn = rng.random((seconds, tracks))
    missing = np.empty((seconds, tracks), dtype=bool)
    state = rng.random(tracks) < _MISSING
    for second in range(seconds):
        missing[second] = state
        state = np.where(state, drawn[second] >= leave, drawn[second] < enter)
    return missing


def windowed(size: int, pooled: Callable[[Blocks], Blocks]) -> Practice:
    """What a pool of the last `size` probabilities says; nothing before there are as many."""

    def practice(logits: Blocks) -> Blocks:
        probability = 1 / (1 + np.exp(-logits))
        tracks = logits.shape[1]
        ring, seen = np.zeros((size, tracks)), np.zeros(tracks, dtype=int)
        said = np.empty_like(logits)
        for second, now in enumerate(probability):
            here = np.flatnonzero(~np.isnan(now))
            ring[seen[here] % size, here] = now[here]
            seen[here] += 1
            said[second] = np.where(seen >= size, pooled(ring), -1.0)
        return said

    return practice


def confident(window: Blocks) -> Blocks:
    """Over a fifth above 0.8: their mean; nearly all under 0.2: theirs; else that of all. (n, tracks) → (tracks,)."""
    high, low = window > 0.8, window < 0.2
    of_high = np.where(high, window, 0).sum(axis=0) / np.maximum(1, high.sum(axis=0))
    of_low = np.where(low, window, 0).sum(axis=0) / np.maximum(1, low.sum(axis=0))
    mean = window.mean(axis=0)
    said: Blocks = np.where(high.mean(axis=0) > 0.2, of_high, np.where(low.mean(axis=0) > 0.9, of_low, mean))
    return said


def ewma(share: float, quorum: int = 8) -> Practice:
    """Exponentially weighted mean of logits; nothing before `quorum` seconds were seen, as for ours."""

    def practice(logits: Blocks) -> Blocks:
        mean, seen = np.full(logits.shape[1], np.nan), np.zeros(logits.shape[1], dtype=int)
        said = np.empty_like(logits)
        for second, now in enumerate(logits):
            here = ~np.isnan(now)
            mean = np.where(here, np.where(np.isnan(mean), now, mean + share * (now - mean)), mean)
            seen += here
            said[second] = np.where(seen >= quorum, mean, -np.inf)
        return said

    return practice


PRACTICES: dict[str, Practice] = {
    "mean of 32": windowed(32, lambda window: window.mean(axis=0)),
    "median of 10": windowed(10, lambda window: np.median(window, axis=0)),
    "confident strategy": windowed(32, confident),
}
EWMAS = (0.02, 0.05, 0.1, 0.2)
