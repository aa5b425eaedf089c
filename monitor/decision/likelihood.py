"""Evidence from calibrated scores: how far a face stands above real people, and above its own past.

People differ: of some the encoder takes every picture for a little fake, and however long they are watched, no more
follows than that they are such people. So what counts is the mean of a face's scores, against how the means of real
people scatter (`population.py`). With s the mean score of n seconds, both hypotheses normal, the logarithm of the
likelihood ratio of "a manipulated face, from its first second on" is

    level  =  shift (s - mean - shift / 2) / (between + noise / n)

It saturates where a CUSUM would go on: at what people's differences leave to be known.

A face that becomes fake in the midst of a call is another matter: it is held against itself, and people's differences
do not count. A CUSUM (Page 1954) of the scores since a possible switch, about the face's own mean until then, which is
not known exactly either. With m its best estimate from w seconds, of which noise / between stand for what people are
like and score their mean, and with s the mean of n seconds since,

    switch  =  shift (s - m - shift / 2) / (noise / n + noise / w)

Whenever that is not above 0 there was no switch so far, and the seconds go into the past. A switch may have come at any
moment, a face that is fake from the start at one only, so `switch` has to be higher by `SWITCH_NATS`. The evidence is
the higher of the two. With the own mean known exactly, and without the clip of its seconds, `switch` is Page's CUSUM,
by which the benchmark checks it.

All of this is about finding fakes soon. That real faces raise no more alarms than promised does not rest on it, but on
how high real sessions came (`promise.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.decision.evidence import State
from monitor.decision.population import Population

CLIP_NATS = 6.0
"""No second speaks with a score beyond this, either way."""
SWITCH_NATS = 4.0
_BEYOND = 1.5
"""Shifts. One second then speaks for a switch by four nats at the most, which a switch lacks to begin with: so it takes
two seconds at the least, however fake one is."""
_LONGEST = 600.0
"""Seconds since a possible switch that are kept at the most, so that what follows them is seen."""
_FORGET = 0.005
"""Share of the level's past that is let go with each second: what a face was a quarter of an hour ago says little."""

Numbers = NDArray[np.float64]
_T = TypeVar("_T", float, Numbers)


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """The statistic of every calibration, nats.

    Attributes:
        population: how real people score.
        cap: where evidence of a fake saturates, so that a face that has become real is soon seen to be.
        switch_nats: by how much a switch has to speak louder.
        beyond: no second speaks for a switch by more shifts than this above the face's own mean.
    """

    population: Population
    cap: float = math.inf
    switch_nats: float = SWITCH_NATS
    beyond: float = _BEYOND

    def begin(self) -> State:
        """Sum and weight of the level's scores, of those before the switch that may have been, and of those since."""
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0

    def step(self, state: State, score: float, weight: float = 1.0) -> State:
        """What is held after one more block."""
        level, level_weight, past, past_weight, recent, recent_weight = state
        score = max(-CLIP_NATS, min(CLIP_NATS, score))
        level = level * (1 - _FORGET) + weight * score
        level_weight = level_weight * (1 - _FORGET) + weight
        recent += weight * min(score, self._most_recent(past, past_weight))
        recent_weight += weight
        switch, most = self._switch(past, past_weight, recent, recent_weight), self.cap + self.switch_nats
        if switch <= 0:
            past, past_weight, recent, recent_weight = past + recent, past_weight + recent_weight, 0.0, 0.0
        else:
            share = min(1.0, most / switch, _LONGEST / recent_weight)
            recent, recent_weight = recent * share, recent_weight * share
        return level, level_weight, past, past_weight, recent, recent_weight

    def sides(self, state: State) -> tuple[float, float]:
        """How much speaks for a manipulated face, and how much for a real one, nats."""
        level, level_weight, *since = state
        of_level = self._level(level, level_weight)
        of_switch = self._switch(*since) - self.switch_nats
        return max(0.0, min(self.cap, max(of_level, of_switch))), max(0.0, -of_level)

    def upper(
        self, scores: Numbers, state: Numbers | None = None, weights: Numbers | None = None
    ) -> tuple[Numbers, Numbers]:
        """How much speaks for a manipulated face, of many tracks at once: to the last bit what `step` comes to.

        Args:
            scores: mean score of each block, (blocks, tracks); NaN where a block held no crop.
            state: what came out for the blocks before these; None where there were none.
            weights: how much each block counts, (blocks, tracks); 1 where they are left out.

        Returns:
            Evidence after each block, nats, (blocks, tracks), and the state that goes on from the last, (6, tracks).
        """
        evidence = np.empty_like(scores)
        level, level_weight, past, past_weight, recent, recent_weight = (
            np.zeros((6, scores.shape[1])) if state is None else state
        )
        most = self.cap + self.switch_nats
        for block, score in enumerate(np.clip(scores, -CLIP_NATS, CLIP_NATS)):
            seen = ~np.isnan(score)
            weight = np.where(seen, 1.0 if weights is None else weights[block], 0.0)
            now = np.where(seen, weight * score, 0.0)
            level = np.where(seen, level * (1 - _FORGET) + now, level)
            level_weight = np.where(seen, level_weight * (1 - _FORGET) + weight, level_weight)
            clipped = np.minimum(score, self._most_recent(past, past_weight))
            recent = recent + np.where(seen, weight * clipped, 0.0)
            recent_weight = recent_weight + weight
            switch = self._switch(past, past_weight, recent, recent_weight)
            none = switch <= 0
            past = np.where(none, past + recent, past)
            past_weight = np.where(none, past_weight + recent_weight, past_weight)
            capped = np.minimum(most / np.where(none, 1.0, switch), _LONGEST / np.where(none, 1.0, recent_weight))
            share = np.where(none, 0.0, np.where(seen, np.minimum(1.0, capped), 1.0))
            recent, recent_weight = recent * share, recent_weight * share
            of_switch = self._switch(past, past_weight, recent, recent_weight) - self.switch_nats
            evidence[block] = np.clip(np.maximum(self._level(level, level_weight), of_switch), 0.0, self.cap)
        return evidence, np.stack([level, level_weight, past, past_weight, recent, recent_weight])

    def _level(self, total: _T, weight: _T) -> _T:
        people = self.population
        above = total - weight * (people.mean + people.shift / 2)
        return people.shift * above / (people.between * weight + people.noise)

    def _switch(self, past: _T, past_weight: _T, recent: _T, recent_weight: _T) -> _T:
        people = self.population
        own = self._own(past, past_weight)
        above = recent - recent_weight * (own + people.shift / 2)
        return people.shift * above / (people.noise * (1 + recent_weight / (past_weight + self._known)))

    def _own(self, past: _T, past_weight: _T) -> _T:
        """The best estimate of the face's own mean."""
        return (past + self._known * self.population.mean) / (past_weight + self._known)

    def _most_recent(self, past: _T, past_weight: _T) -> _T:
        """No second since a switch speaks with a score beyond this."""
        return self._own(past, past_weight) + self.beyond * self.population.shift

    @property
    def _known(self) -> float:
        """That people are alike tells as much of a face as so many seconds of it."""
        return self.population.noise / self.population.between
