from __future__ import annotations

import numpy as np
import pytest

from gend.faces.boxes import groups, shared_area

BOX = np.array([10, 10, 30, 30], np.float32)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ([10, 10, 30, 30], 1.0),
        ([20, 10, 40, 30], 1 / 3),
        ([15, 15, 25, 25], 0.25),
        ([30, 10, 50, 30], 0.0),
        ([90, 90, 99, 99], 0.0),
        ([20, 20, 20, 20], 0.0),
    ],
    ids=["same", "half", "inside", "touching", "apart", "no area"],
)
def test_shared_area(other: list[float], shared: float) -> None:
    assert shared_area(BOX, np.array([other], np.float32)) == pytest.approx([shared])


def test_shared_area_of_boxes_without_area() -> None:
    nothing = np.zeros(4, np.float32)
    assert shared_area(nothing, nothing[None]) == pytest.approx([0.0])


def test_groups_by_face_most_certain_first() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [100, 0, 110, 10], [1, 0, 11, 10], [101, 0, 111, 10], [50, 50, 50, 50]], np.float32
    )
    found = [group.tolist() for group in groups(boxes, np.array([0.5, 0.9, 0.8, 0.6, 0.7], np.float32), 0.3)]
    assert found == [[1, 3], [2, 0], [4]]


def test_groups_of_nothing() -> None:
    assert list(groups(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.3)) == []
