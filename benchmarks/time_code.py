"""A number in the lowest rows of a picture, as black and white fields, that survives a call's codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

ROWS = 16
_FIELD_PX = 12
_BITS, _CHECK_BITS = 20, 4
_WHITE, _BLACK, _GREY = 235, 16, 126
MOST = 2**_BITS
"""Numbers are less than this."""


def stamp(luma: Pixels, number: int) -> None:
    """Writes a number into the brightness of a picture, uint8 (h, w), w at least 288."""
    fields = luma[-ROWS:]
    fields[:] = _BLACK
    code = number << _CHECK_BITS | _check(number)
    for bit in range(_BITS + _CHECK_BITS):
        if code >> bit & 1:
            fields[:, bit * _FIELD_PX : (bit + 1) * _FIELD_PX] = _WHITE


def read(picture: Pixels) -> int | None:
    """The number in a picture, RGB uint8 (h, w, 3) of the size that it was written in; None where none is readable."""
    grey = picture[-ROWS + 4 : -4].mean(axis=(0, 2))
    middles = [grey[bit * _FIELD_PX + 3 : (bit + 1) * _FIELD_PX - 3].mean() for bit in range(_BITS + _CHECK_BITS)]
    code = sum(1 << bit for bit, brightness in enumerate(middles) if brightness > _GREY)
    number = code >> _CHECK_BITS
    return number if code & (2**_CHECK_BITS - 1) == _check(number) else None


def _check(number: int) -> int:
    return (number * 7 + 5) % 13  # never that of a picture that is black or white all over
