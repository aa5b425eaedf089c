"""Overlapping boxes: how much they share, and which of them stand for the same face."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""(n, 4): x0, y0, x1, y1 in pixels."""


def shared_area(box: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one box (4,) with each of `boxes` (n, 4): (n,), 0 to 1."""
    corner, opposite = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    intersection = np.maximum(opposite - corner, 0).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - intersection
    # Boxes without area share nothing, and must not divide by nothing either.
    return np.asarray(intersection / np.maximum(union, np.finfo(np.float32).tiny), dtype=np.float32)


def groups(boxes: Boxes, confidences: NDArray[np.float32], min_shared: float) -> Iterator[NDArray[np.intp]]:
    """Sorts detections of one picture by the face they show: the first step of non-maximum suppression.

    Args:
        boxes: (n, 4).
        confidences: (n,).
        min_shared: boxes that share more than this with the most certain one of a group belong to it.

    Yields:
        Indices of one group, the most certain first; groups by their most certain member, in falling order.
    """
    left = np.argsort(-confidences, kind="stable")
    while left.size:
        same = shared_area(boxes[left[0]], boxes[left]) > min_shared
        same[0] = True  # even without area
        yield left[same]
        left = left[~same]
