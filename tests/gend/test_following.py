from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.faces import Face
from gend.following import Follower

Pixels = NDArray[np.uint8]
ROOM = np.full((180, 320, 3), 120, np.uint8)
ELSEWHERE = np.full((180, 320, 3), 60, np.uint8)
FRAME_S = 0.04


def face(x: float, *, y: float = 60, px: float = 40) -> Face:
    return Face((x, y, x + px, y + 1.25 * px), np.zeros((5, 2), np.float32), 0.9)


def followed(*frames: tuple[float, list[Face]], pixels: Pixels = ROOM) -> list[list[int]]:
    follower = Follower()
    return [follower.follow(pixels, faces, at_s) for at_s, faces in frames]


def test_follow_people_who_move() -> None:
    steps = [(step * FRAME_S, [face(200 - 4 * step), face(20 + 4 * step)]) for step in range(10)]
    assert followed(*steps) == [[1, 2]] * 10


def test_follow_whatever_the_order_of_faces() -> None:
    assert followed((0.0, [face(20), face(200)]), (FRAME_S, [face(202), face(22)])) == [[1, 2], [2, 1]]


def test_follow_neighbours_who_move_together() -> None:
    # Each is now nearest to where the other was.
    assert followed((0.0, [face(20), face(70)]), (0.5, [face(50), face(100)])) == [[1, 2], [1, 2]]


@pytest.mark.parametrize(("waited_s", "same"), [(FRAME_S, False), (0.5, True)])
def test_follow_reaches_farther_the_longer_it_waited(waited_s: float, same: bool) -> None:
    assert followed((0.0, [face(20)]), (waited_s, [face(50)])) == [[1], [1 if same else 2]]


def test_follow_somebody_of_another_size() -> None:
    assert followed((0.0, [face(20)]), (FRAME_S, [face(10, px=90)])) == [[1], [2]]


def test_follow_takes_a_lost_face_up_again() -> None:
    gone: list[Face] = []
    assert followed((0.0, [face(20)]), (0.5, gone), (1.0, gone), (1.5, [face(30)])) == [[1], [], [], [1]]


def test_follow_gives_a_face_up_in_the_end() -> None:
    frames = [(step * FRAME_S, list[Face]()) for step in range(1, 60)]
    assert followed((0.0, [face(20)]), *frames, (60 * FRAME_S, [face(20)]))[-1] == [2]


def test_follow_over_frames_far_apart() -> None:
    assert followed((0.0, [face(20)]), (60.0, []), (120.0, [face(30)])) == [[1], [], [1]]


@pytest.mark.parametrize(("waited_s", "numbers"), [(FRAME_S, [2]), (5.0, [1])])
def test_follow_ends_with_the_scene(waited_s: float, numbers: list[int]) -> None:
    follower = Follower()
    assert follower.follow(ROOM, [face(20)], 0.0) == [1]
    assert follower.follow(ELSEWHERE, [face(22)], waited_s) == numbers


def test_follow_through_a_change_of_part_of_the_picture() -> None:
    changed = ROOM.copy()
    changed[:, 200:] = 160  # somebody switches on a lamp
    follower = Follower()
    assert follower.follow(ROOM, [face(20)], 0.0) == follower.follow(changed, [face(22)], FRAME_S) == [1]


@pytest.mark.parametrize("size", [(9, 7), (20, 2000), (2000, 20), (1080, 1920)])
def test_follow_in_pictures_of_any_shape(size: tuple[int, int]) -> None:
    assert followed((0.0, [face(2, px=5)]), (FRAME_S, [face(3, px=5)]), pixels=np.zeros((*size, 3), np.uint8)) == [
        [1],
        [1],
    ]
