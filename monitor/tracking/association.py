"""Which detection belongs to which track: overlap, distance and size, solved for all pairs at once.

At five pictures a second a turning head may leave its own box, so overlap alone loses it; distance counts in
face sizes, beside how sure the prediction is. A pair that is not plausible is never made, however lonely both
sides are: that is what keeps a camera cut from handing one person's history to another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from monitor.messages import Box
from monitor.tracking.motion import Prediction

Matrix = NDArray[np.float64]

_SURE_SD = 4.0
"""A face is not looked for farther from its prediction than this many standard deviations …"""
_REACH = 1.25
"""… nor, however long it was lost, than this many face sizes: its neighbour in a row may sit there."""
_SIZE_RATIO = 1.6
"""Nobody comes this much nearer, or goes this much farther, while unseen."""
_IMPLAUSIBLE = 1e6


def iou(first: Sequence[Box], second: Sequence[Box]) -> Matrix:
    """Intersection over union of every pair, (len(first), len(second)), from 0 to 1."""
    overlaps = [_overlap(box, other) for box in first for other in second]
    return np.array(overlaps, dtype=np.float64).reshape(len(first), len(second))


def associate(predictions: Sequence[Prediction], boxes: Sequence[Box], *, min_iou: float = 0) -> list[tuple[int, int]]:
    """Pairs predictions with boxes so that their total cost is least (Kuhn 1955, the Hungarian method).

    The cost of a pair is (1 - IoU) + distance of centres in face sizes + |log ratio of sizes|.

    Args:
        predictions: where tracks are expected.
        boxes: where faces were found.
        min_iou: least overlap of a pair, for boxes that are doubtful themselves.

    Returns:
        (index of prediction, index of box) of every pair made, in order of predictions.
    """
    costs = {
        (row, column): cost
        for row, prediction in enumerate(predictions)
        for column, box in enumerate(boxes)
        if (cost := _cost(prediction, box, min_iou)) is not None
    }
    rows, columns = {row for row, _ in costs}, {column for _, column in costs}
    if len(rows) == len(columns) == len(costs):  # nobody competes, as nearly always
        return sorted(costs)
    matrix = np.full((len(predictions), len(boxes)), _IMPLAUSIBLE)
    for pair, cost in costs.items():
        matrix[pair] = cost
    pairs = [(int(row), int(column)) for row, column in zip(*linear_sum_assignment(matrix), strict=True)]
    return [pair for pair in pairs if pair in costs]


def _cost(prediction: Prediction, box: Box, min_iou: float) -> float | None:
    """See `associate`; None where the pair is not plausible."""
    x0, y0, x1, y1 = prediction.box
    u0, v0, u1, v1 = box
    # Without arrays, for which a handful of pairs is too few, and the unlikely first.
    size, other_size = math.sqrt(_area(prediction.box)), math.sqrt(_area(box))
    away = math.hypot(x0 + x1 - u0 - u1, y0 + y1 - v0 - v1) / 2
    distance = away / max((size + other_size) / 2, 1.0)
    if distance > min(_SURE_SD * prediction.spread, _REACH):
        return None
    growth = abs(math.log(max(size, 1.0) / max(other_size, 1.0)))
    if growth > math.log(_SIZE_RATIO):
        return None
    overlap = _overlap(prediction.box, box)
    return None if overlap < min_iou else (1 - overlap) + distance + growth


def _overlap(box: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    x0, y0, x1, y1 = box
    u0, v0, u1, v1 = other
    shared = _area((max(x0, u0), max(y0, v0), min(x1, u1), min(y1, v1)))
    union = _area(box) + _area(other) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Box) -> float:
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)
