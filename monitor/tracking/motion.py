"""Where a face will be: a Kalman filter of one box, in real seconds.

Streams drop frames, analyses are a few per second and faces get lost, so a time step here is whatever time
has passed, never "one frame". Centre and size are independent of each other; lengths count in face sizes, so
that one set of figures serves a face of 30 px and one of 500 px.

The filter follows; it does not decide which detection belongs to which face (see `association`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from monitor.messages import Box

# All four in the order centre x, centre y (face sizes), log width, log height (natural logarithm).
_MEASUREMENT_SD = (0.05, 0.05, 0.08, 0.08)
"""Scatter of a detector's boxes on a face at rest."""
_FIRST_RATE_SD = (1.5, 1.5, 0.3, 0.3)
"""What a newly found face may be doing, per second."""
_RATE_NOISE = (2.0**2, 2.0**2, 0.3**2, 0.3**2)
"""Growth of the rates' variance per second: a head turns round in about a second."""
_FADE_S = 2.0
"""A velocity is believed to fade with this time constant: nobody crosses the picture while out of sight."""

_Four = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a box is expected."""

    box: Box
    spread: float
    """Standard deviation of its centre, in face sizes."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """One value and its rate per second, and what is uncertain about them.

    Constant velocity with white-noise acceleration (Bar-Shalom, Li & Kirubarajan 2001, section 6.2.2), with a
    velocity that fades. The covariance is 2 x 2 and held by its three entries.
    """

    value: float
    rate: float
    var_value: float
    cov: float
    var_rate: float

    def after(self, dt: float, noise: float) -> Self:
        """`dt` seconds later, where the rate's variance grows by `noise` per second."""
        keep = math.exp(-dt / _FADE_S)
        carry = _FADE_S * (1 - keep)
        return type(self)(
            self.value + carry * self.rate,
            keep * self.rate,
            self.var_value + 2 * carry * self.cov + carry**2 * self.var_rate + noise * dt**3 / 3,
            keep * self.cov + keep * carry * self.var_rate + noise * dt**2 / 2,
            keep**2 * self.var_rate + noise * dt,
        )

    def told(self, measured: float, variance: float) -> Self:
        """With a measurement of the value."""
        surprise, total = measured - self.value, self.var_value + variance
        gain_value, gain_rate = self.var_value / total, self.cov / total
        return type(self)(
            self.value + gain_value * surprise,
            self.rate + gain_rate * surprise,
            (1 - gain_value) * self.var_value,
            (1 - gain_value) * self.cov,
            self.var_rate - gain_rate * self.cov,
        )


class BoxMotion:
    """State of one box: four values, each with a filter of its own.

    In plain numbers: for a handful of faces, arrays of four cost five times as much.
    """

    def __init__(self, box: Box, at_s: float) -> None:
        self._at_s = at_s
        values = _measure(box)
        self._filters = [
            _Filter(value, 0.0, (sd * unit) ** 2, 0.0, (rate_sd * unit) ** 2)
            for value, sd, rate_sd, unit in zip(values, _MEASUREMENT_SD, _FIRST_RATE_SD, _units(values), strict=True)
        ]

    def predict(self, at_s: float) -> Prediction:
        """Where the box is at `at_s`, which is not before the last update. Changes nothing."""
        x, y, width, height = self._step(at_s)
        spread = math.sqrt((x.var_value + y.var_value) / 2) / self._units()[0]
        return Prediction(_box((x.value, y.value, width.value, height.value)), spread)

    def update(self, box: Box, at_s: float) -> None:
        """Takes in that the box was seen at `at_s`, which is not before the last update."""
        self._filters = [
            each.told(measured, (sd * unit) ** 2)
            for each, measured, sd, unit in zip(
                self._step(at_s), _measure(box), _MEASUREMENT_SD, self._units(), strict=True
            )
        ]
        self._at_s = at_s

    def _step(self, at_s: float) -> list[_Filter]:
        """The filters at `at_s`."""
        dt = max(at_s - self._at_s, 0.0)
        return [
            each.after(dt, noise * unit**2)
            for each, noise, unit in zip(self._filters, _RATE_NOISE, self._units(), strict=True)
        ]

    def _units(self) -> _Four:
        x, y, width, height = self._filters
        return _units((x.value, y.value, width.value, height.value))


def _units(values: _Four) -> _Four:
    """What one face size is in each of the four values: pixels for the centre, 1 for the logarithms."""
    size = math.exp((values[2] + values[3]) / 2)
    return (size, size, 1.0, 1.0)


def _measure(box: Box) -> _Four:
    x0, y0, x1, y1 = box
    return ((x0 + x1) / 2, (y0 + y1) / 2, math.log(max(x1 - x0, 1.0)), math.log(max(y1 - y0, 1.0)))


def _box(values: _Four) -> Box:
    x, y, log_width, log_height = values
    half_width, half_height = math.exp(log_width) / 2, math.exp(log_height) / 2
    return (x - half_width, y - half_height, x + half_width, y + half_height)
