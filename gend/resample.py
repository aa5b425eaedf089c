"""Antialiased resampling of uint8 pictures, equal to PIL's but for single levels, in a third of PIL's time.

PIL weighs the pixels under a kernel that is stretched where the picture shrinks: along the rows first, rounded to
uint8, then along the columns. Here each direction is one product with a sparse matrix of the same weights, in float32.
What differs are sums that lie within its precision of a half, by one level: in photographs 0.005 % of the values
(`benchmarks/preprocessing.py`). No torch: processes that only watch a stream do this for each face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Pixels = NDArray[np.uint8]
Interpolation = Literal["bicubic", "bilinear"]
"""The kernel: Keys' cubic with a = -0.5 (1981), or a triangle."""

_WEIGHT_BITS = 22
"""PIL's precision: it rounds the weights to this many binary places. float32 holds them exactly."""
_HALF_UP = 2.0**-16
"""PIL rounds halves up, OpenCV to even: one step of float32 where it is coarsest decides for PIL's way."""
_ROWS_AT_ONCE = 256
"""Bounds the memory that a large picture takes as float32."""
_SIZES_KEPT = 512


class Span(NamedTuple):
    """Which part of a resampled side is wanted."""

    whole: int
    """Pixels of the resampled side, wanted or not."""
    first: int
    wanted: int


def resample(picture: Pixels, rows: Span, columns: Span, interpolation: Interpolation) -> Pixels:
    """A part of the picture at another size.

    Args:
        picture: uint8 (h, w, 3), neither side empty.
        rows: of the result.
        columns: of the result.
        interpolation: kernel, stretched where a side shrinks.

    Returns:
        uint8 (rows.wanted, columns.wanted, 3).
    """
    height, width, _ = picture.shape
    across = _weights(width, columns, interpolation)
    narrow = np.empty((height, columns.wanted, 3), np.uint8)
    for top in range(0, height, _ROWS_AT_ONCE):
        strip = picture[top : top + _ROWS_AT_ONCE]
        # Pixels that weigh into each other must lie one row apart, for the product to run along whole rows.
        turned = _product(across, cv2.transpose(strip).reshape(width, -1))
        narrow[top : top + len(strip)] = cv2.transpose(turned.reshape(columns.wanted, -1, 3))
    down = _weights(height, rows, interpolation)
    return _product(down, narrow.reshape(height, -1)).reshape(rows.wanted, columns.wanted, 3)


def _product(weights: csr_array, lines: NDArray[np.number]) -> Pixels:
    """(n, m) sparse times (m, k), rounded and clipped to uint8 (n, k)."""
    sums = weights @ lines.astype(np.float32)
    # What rounds the fastest in OpenCV takes absolute values: none may be below 0.
    _, sums = cv2.threshold(sums, 0, 0, cv2.THRESH_TOZERO, dst=sums)
    return cv2.convertScaleAbs(sums, alpha=1, beta=_HALF_UP).astype(np.uint8, copy=False)


@lru_cache(maxsize=_SIZES_KEPT)
def _weights(source: int, target: Span, interpolation: Interpolation) -> csr_array:
    """How much each of `source` pixels counts for each wanted one, (target.wanted, source)."""
    kernel, reach = _KERNELS[interpolation]
    scale = source / target.whole
    stretch = max(scale, 1.0)
    centres = (np.arange(target.first, target.first + target.wanted) + 0.5) * scale
    begins = np.maximum((centres - reach * stretch + 0.5).astype(np.int32), 0)
    ends = np.minimum((centres + reach * stretch + 0.5).astype(np.int32), source)
    places = begins[:, None] + np.arange((ends - begins).max(), dtype=np.int32)  # (wanted, taps)
    weights = kernel(np.abs(places + 0.5 - centres[:, None]) / stretch)
    weights[places >= ends[:, None]] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    weights = np.rint(np.ldexp(weights, _WEIGHT_BITS))
    used = weights != 0
    starts = np.concatenate([[0], used.sum(axis=1).cumsum()]).astype(np.int32)
    values = np.ldexp(weights[used], -_WEIGHT_BITS).astype(np.float32)
    return csr_array((values, places[used], starts), shape=(target.wanted, source))


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def _triangle(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - distance, 0)


_KERNELS: Mapping[Interpolation, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bicubic": (_cubic, 2.0),
    "bilinear": (_triangle, 1.0),
}
"""Of each: its weight at a distance in pixels, and how far it reaches."""
