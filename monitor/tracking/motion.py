"""Where a face will be: a Kalman filter of one box, in real seconds.

Streams drop frames, analyses are a few per second and faces get lost, so a time step here is whatever time
has passed, never "one frame". Centre and size are independent of each other; lengths count in face sizes, so
that one set of figures serves a face of 30 px and one of 500 px.

The filter follows; it does not decide which detection belongs to which face (see `association`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.messages import Box

Vector = NDArray[np.float64]

# All four in the order centre x, centre y (face sizes), log width, log height (natural logarithm).
_MEASUREMENT_SD = np.array([0.05, 0.05, 0.08, 0.08])
"""Scatter of a detector's boxes on a face at rest."""
_FIRST_RATE_SD = np.array([1.5, 1.5, 0.3, 0.3])
"""What a newly found face may be doing, per second."""
_RATE_NOISE = np.array([2.0, 2.0, 0.3, 0.3]) ** 2
"""Growth of the rates' variance per second: a head turns round in about a second."""
_FADE_S = 2.0
"""A velocity is believed to fade with this time constant: nobody crosses the picture while out of sight."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a box is expected."""

    box: Box
    spread: float
    """Standard deviation of its centre, in face sizes."""


class BoxMotion:
    """State of one box: four values, their rates per second, and what is uncertain about them.

    Constant velocity with white-noise acceleration (Bar-Shalom, Li & Kirubarajan 2001, section 6.2.2), with a
    velocity that fades. The four filters are independent, so each covariance is 2 x 2 and held by its three
    entries: var(value), cov(value, rate), var(rate), each of shape (4,).
    """

    def __init__(self, box: Box, at_s: float) -> None:
        self._at_s = at_s
        self._value = _measure(box)
        self._rate = np.zeros(4)
        unit = self._unit()
        self._var_value = (_MEASUREMENT_SD * unit) ** 2
        self._cov = np.zeros(4)
        self._var_rate = (_FIRST_RATE_SD * unit) ** 2

    def predict(self, at_s: float) -> Prediction:
        """Where the box is at `at_s`, which is not before the last update. Changes nothing."""
        value, _, var_value, _, _ = self._step(at_s)
        return Prediction(_box(value), math.sqrt(float(var_value[:2].mean())) / float(self._unit()[0]))

    def update(self, box: Box, at_s: float) -> None:
        """Takes in that the box was seen at `at_s`, which is not before the last update."""
        value, rate, var_value, cov, var_rate = self._step(at_s)
        surprise = _measure(box) - value
        total = var_value + (_MEASUREMENT_SD * self._unit()) ** 2
        gain_value, gain_rate = var_value / total, cov / total
        self._value = value + gain_value * surprise
        self._rate = rate + gain_rate * surprise
        self._var_value = (1 - gain_value) * var_value
        self._cov = (1 - gain_value) * cov
        self._var_rate = var_rate - gain_rate * cov
        self._at_s = at_s

    def _step(self, at_s: float) -> tuple[Vector, Vector, Vector, Vector, Vector]:
        """Value, rate and the covariance's entries at `at_s`."""
        dt = max(at_s - self._at_s, 0.0)
        keep = math.exp(-dt / _FADE_S)
        carry = _FADE_S * (1 - keep)
        noise = _RATE_NOISE * self._unit() ** 2
        return (
            self._value + carry * self._rate,
            keep * self._rate,
            self._var_value + 2 * carry * self._cov + carry**2 * self._var_rate + noise * dt**3 / 3,
            keep * self._cov + keep * carry * self._var_rate + noise * dt**2 / 2,
            keep**2 * self._var_rate + noise * dt,
        )

    def _unit(self) -> Vector:
        """What one face size is in each of the four values: pixels for the centre, 1 for the logarithms."""
        size = math.exp(float(self._value[2] + self._value[3]) / 2)
        return np.array([size, size, 1.0, 1.0])


def _measure(box: Box) -> Vector:
    x0, y0, x1, y1 = box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, math.log(max(x1 - x0, 1.0)), math.log(max(y1 - y0, 1.0))])


def _box(value: Vector) -> Box:
    x, y = float(value[0]), float(value[1])
    half_width, half_height = math.exp(float(value[2])) / 2, math.exp(float(value[3])) / 2
    return (x - half_width, y - half_height, x + half_width, y + half_height)
