"""How the sessions of a calibration score, and how much speaks for others scoring differently. No labels are needed.

The unit is the session. People differ, the seconds of one person repeat each other, one person may make forty tracks a
day, and days differ too: blocks or tracks that were taken for independent would call any two days of one camera
different, and so would a conformal test martingale over tracks (Vovk, Nouretdinov and Gammerman 2003), whose p-values
need tracks that are exchangeable. Sessions are what the promise of a calibration takes for exchangeable already.

Of each track three numbers are looked at: the mean of its scores; how far that lies from the calibration's middle, as
its square root, which is nearly normal (Hawkins 1981); and how far its seconds scatter about its mean. A session is the
mean over its tracks. It weighs what an analysis of variance gives it, 1 / (between + within / tracks), where the share
between sessions is the upper end of its 95 % interval (Searle, Casella and McCulloch 1992), so that no session of many
tracks outweighs the others because few sessions happened to be alike. That share decides the weights alone: the scatter
that differences are held against is the one that sessions really have, so wrong weights cost power and do not deceive
(as Hartung and Knapp 2001 do in meta-analysis).

Calibration and new sessions are compared by the Bayes factor of the t-test with a normal prior on the difference over
the scatter (Goenen, Johnson, Lu and Westfall 2005). Middle and scatter have the right Haar prior, so that where
sessions are normal the factor is, over calibrations, a martingale of mean 1 as sessions come in (Hendriksen, de Heide
and Gruenwald 2021): it may be looked at after each, and exceeds 1/alpha at any time with probability alpha at most. It
knows how uncertain few sessions leave the calibration itself; no bound or inflation is put on top.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri  # of scipy.stats.f, which takes a second to load

from monitor.decision.track_scores import TrackScores

Numbers = NDArray[np.float64]

FEWEST_SESSIONS = 5
"""With tracks that say enough; with fewer nobody can tell whether others are like them."""
LOCATION, PEOPLE, SECONDS = range(3)
"""Places of the three numbers: middle of the scores, scatter of tracks about it, scatter of seconds in a track."""
_PRIOR_VARIANCE = 4.0
"""Of the difference between calibration and new sessions, over the scatter of sessions."""
_LEAST_SCATTER_NATS = 0.02
"""Of sessions: what is closer together than this says that the footage repeats itself, not that all days are alike."""
_ALIKE = 1e6
"""Sessions differ so much more than tracks of one that all weigh the same."""


@dataclass(frozen=True, slots=True)
class SessionScores:
    """What is kept of a session: how far the mean of its tracks lies from the calibration in each number, (3,)."""

    tracks: int
    away: Numbers
    weight: Numbers


@dataclass(frozen=True, slots=True)
class Reference:
    """The sessions of a calibration, as what others are compared with. Arrays are (3,), one for each number."""

    sessions: int
    middle: float
    between: Numbers
    """Variance between sessions as a share of that between tracks of one."""
    unit: Numbers
    """Weight of a session before this division; so that those of the calibration are 1 on average."""
    weight: Numbers
    """Of all sessions of the calibration together."""
    centre: Numbers
    squares: Numbers
    """Weighted squares of its sessions about the centre."""

    @classmethod
    def of(cls, sessions: Sequence[Sequence[TrackScores]], least_blocks: int) -> Self | None:
        """Of real sessions; None where too few of them have a track of so many blocks.

        Args:
            sessions: the tracks of each.
            least_blocks: tracks of fewer are left out.
        """
        kept = [[track for track in session if track.blocks >= least_blocks] for session in sessions]
        kept = [session for session in kept if session]
        if len(kept) < FEWEST_SESSIONS:
            return None
        means = np.array([np.mean([track.mean for track in session]) for session in kept])
        middle, count = float(means.mean()), len(kept)
        # A session is no judge of a middle that it made itself: its tracks would seem closer than those to come.
        others = (means.sum() - means) / (count - 1)
        numbers = [
            np.array([numbers_of(track, middle=middle) for track in session])
            for session, middle in zip(kept, others, strict=True)
        ]
        between = np.array([_between([session[:, number] for session in numbers]) for number in range(3)])
        at = np.array([session.mean(axis=0) for session in numbers])
        weights = 1 / (between + 1 / np.array([[len(session)] for session in numbers]))
        unit = weights.mean(axis=0)
        weights = weights / unit
        weight = weights.sum(axis=0)
        centre = (weights * at).sum(axis=0) / weight
        least = _LEAST_SCATTER_NATS
        least2 = np.array([least**2, least, least**2])  # the second number is a root
        squares = np.maximum((count - 1) * least2, (weights * (at - centre) ** 2).sum(axis=0))
        return cls(count, middle, between, unit, weight, centre, squares)

    @property
    def scatter(self) -> Numbers:
        """Deviation of a session of the calibration."""
        deviation: Numbers = np.sqrt(self.squares / (self.sessions - 1))
        return deviation

    def session(self, tracks: int, total: Numbers) -> SessionScores:
        """A session of so many tracks, whose numbers come to `total`, (3,)."""
        return SessionScores(tracks, total / tracks - self.centre, 1 / (self.between + 1 / tracks) / self.unit)

    def difference(self, sessions: Sequence[SessionScores]) -> Numbers:
        """How much higher the three numbers are in these sessions."""
        weights = np.array([session.weight for session in sessions])
        higher: Numbers = (weights * np.array([session.away for session in sessions])).sum(axis=0) / weights.sum(axis=0)
        return higher

    def evidence(self, sessions: Sequence[SessionScores]) -> Numbers:
        """How much speaks for sessions that differ from the calibration, whichever of them is left out.

        Args:
            sessions: in their order, n of them.

        Returns:
            Logarithm of the Bayes factor of the sessions from the first, the second, … on, each without the one that
            speaks most for a difference, (n, 3); the last is about no session, and 0.
        """
        weights = np.array([session.weight for session in sessions])
        away = np.array([session.away for session in sessions])
        count = len(sessions)
        # Sums over the sessions from each on, less one of them: (from, without, 3).
        power = [weights * away**exponent for exponent in range(3)]
        total, first, second = (each[::-1].cumsum(axis=0)[::-1][:, None] - each[None] for each in power)
        left = np.arange(count)[:, None] <= np.arange(count)[None]
        number = (count - 1 - np.arange(count))[:, None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(total > 0, first / total, 0.0)
            squares = self.squares + np.maximum(0.0, second - total * mean**2)
            factor = log_bayes_factor(
                mean**2, squares, self.sessions + number - 2, total * self.weight / (total + self.weight)
            )
        least: Numbers = np.where(left[:, :, None], factor, np.inf).min(axis=1)
        least[-1] = 0.0
        return least


def log_bayes_factor(difference2: Numbers, squares: Numbers, freedom: NDArray[np.int64], size: Numbers) -> Numbers:
    """Of two groups that differ over two that do not, by Goenen et al.

    Args:
        difference2: of the groups' means, squared.
        squares: of both groups about their own means.
        freedom: sessions less two.
        size: effective, 1 / (1 / weight of one group + 1 / weight of the other).
    """
    share = size * difference2 / squares  # t squared, over its degrees of freedom
    widened = 1 + _PRIOR_VARIANCE * size
    factor: Numbers = (freedom + 1) / 2 * (np.log1p(share) - np.log1p(share / widened)) - np.log(widened) / 2
    return factor


def numbers_of(track: TrackScores, *, middle: float) -> tuple[float, float, float]:
    """The three numbers of a track: `LOCATION`, `PEOPLE`, `SECONDS`."""
    return track.mean, math.sqrt(abs(track.mean - middle)), track.deviation


def _between(sessions: Sequence[Numbers]) -> float:
    """Variance between sessions over that between tracks of one session: the upper end of its interval.

    Where no session has two tracks, or where all tracks of each are the same, sessions weigh alike.
    """
    sizes = np.array([len(session) for session in sessions])
    total, count = int(sizes.sum()), len(sessions)
    means = np.array([session.mean() for session in sessions])
    within = sum(float(((session - session.mean()) ** 2).sum()) for session in sessions)
    if total == count or within <= 0:
        return _ALIKE
    within /= total - count
    among = float((sizes * (means - (sizes * means).sum() / total) ** 2).sum()) / (count - 1)
    size = (total - float((sizes**2).sum()) / total) / (count - 1)
    least = float(fdtri(count - 1, total - count, 0.025))
    return max(0.0, (among / within / least - 1) / size)
