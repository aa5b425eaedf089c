"""Which detection belongs to which track: overlap, distance and size, solved for all pairs at once.

At five pictures a second a turning head may leave its own box, so overlap alone loses it; distance counts in
face sizes, beside how sure the prediction is. A pair that is not plausible is never made, however lonely both
sides are: that is what keeps a camera cut from handing one person's history to another.
"""

from __future__ import annotations

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
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 4)
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(overlap, 0, None).prod(axis=-1)
    union = _area(a) + _area(b) - shared
    ratio: Matrix = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


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
    if not predictions or not boxes:
        return []
    expected = [prediction.box for prediction in predictions]
    a = np.asarray(expected, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(boxes, dtype=np.float64).reshape(1, -1, 4)
    size_a, size_b = np.sqrt(_area(a)), np.sqrt(_area(b))
    between = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    distance = np.hypot(between[..., 0], between[..., 1]) / np.maximum((size_a + size_b) / 2, 1.0)
    growth = np.abs(np.log(np.maximum(size_a, 1.0) / np.maximum(size_b, 1.0)))
    overlap = iou(expected, boxes)

    spread = np.array([[prediction.spread] for prediction in predictions])
    plausible = (
        (distance <= np.minimum(_SURE_SD * spread, _REACH)) & (growth <= np.log(_SIZE_RATIO)) & (overlap >= min_iou)
    )
    cost = np.where(plausible, (1 - overlap) + distance + growth, _IMPLAUSIBLE)
    rows, columns = linear_sum_assignment(cost)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if plausible[row, column]]


def _area(boxes: Matrix) -> Matrix:
    area: Matrix = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1)
    return area
