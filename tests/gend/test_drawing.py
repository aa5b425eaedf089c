from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.drawing import annotated, with_foot_below, write_foot
from gend.tally import FaceScore

Pixels = NDArray[np.uint8]
FOOT = "p(fake) by demo"


def face(box: tuple[float, float, float, float], p_fake: float = 0.5, track: int = 1) -> FaceScore:
    return FaceScore(0, 0.0, track, box, 0.9, 0.0, p_fake)


def grey(height: int = 360, width: int = 640) -> Pixels:
    return np.full((height, width, 3), 200, np.uint8)


def test_annotated_changes_the_surroundings_of_faces_alone() -> None:
    picture = grey()
    drawn = annotated(picture, [face((200, 100, 300, 220))])
    assert (picture == 200).all()
    changed = (drawn != picture).any(axis=2)
    assert not changed[110:210, 210:290].any(), "the face itself is covered"
    assert changed[100, 200:300].all()
    assert changed[100:220, 300].all()
    assert changed[82:95, 200:240].any(), "no label above"
    assert not changed[:320, 400:].any()


@pytest.mark.parametrize(("p_fake", "strongest"), [(0.02, 2), (0.98, 0)])
def test_annotated_is_blue_for_real_and_red_for_fake(p_fake: float, strongest: int) -> None:
    drawn = annotated(grey(), [face((200, 100, 300, 220), p_fake)])
    red, green, blue = drawn[100, 250].astype(int)
    assert (red, green, blue)[strongest] > 2 * min(red, blue)


def test_annotated_tells_which_face_and_how_fake() -> None:
    labels = [
        annotated(grey(), [face((200, 100, 300, 220), p_fake, track)])[:97]
        for p_fake, track in ((0.5, 1), (0.5, 2), (0.51, 1), (0.5, 1))
    ]
    assert (labels[0] == labels[3]).all()
    assert (labels[0] != labels[1]).any()
    assert (labels[0] != labels[2]).any()


def test_annotated_labels_do_not_lie_on_each_other() -> None:
    # The lower face's label would cover the upper face, and has to go below its own.
    upper, lower = (200.0, 60.0, 300.0, 160.0), (205.0, 165.0, 305.0, 265.0)
    together = annotated(grey(), [face(upper), face(lower, track=2)])
    assert (together[70:150, 210:290] == 200).all()
    assert (together[175:255, 215:295] == 200).all()
    assert (together[270:280, 205:250] != 200).any()


def test_foot_over_the_bottom_or_below_it() -> None:
    for text in (FOOT, f"{FOOT} · demo encoder: not for real use"):
        over, below = grey(), with_foot_below(grey(), text)
        write_foot(over, text)
        foot = len(below) - 360
        assert 12 <= foot <= 30
        assert (below[:360] == 200).all()
        assert (over[: 360 - foot] == 200).all()
        assert over[360 - foot :].min() < 100
        assert ((over[360 - foot :] == 255) == (below[360:] == 255)).all()
        assert (below[360:] == 255).any()


def test_foot_tells_what_it_is_told() -> None:
    first, second, third = (with_foot_below(grey(), text) for text in ("p(fake) by a", "p(fake) by b", "p(fake) by a"))
    assert (first == third).all()
    assert (first != second).any()


def test_foot_takes_lines_where_the_picture_is_narrow() -> None:
    text = f"{FOOT} · demo encoder: not for real use"
    wide, narrow = (with_foot_below(grey(112, width), text)[112:] for width in (640, 112))
    assert len(narrow) == 3 * len(wide)
    assert all((line == 255).any() for line in np.split(narrow, 3))


def test_annotated_draws_what_is_no_longer_sure_thinner() -> None:
    one = [face((200, 100, 300, 220), 0.0)]
    thick, thin = (annotated(grey(720, 1280), one, latest=latest)[160, 150:250] for latest in (True, False))
    assert 0 < (thin != 200).sum() < (thick != 200).sum()


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (40, 30), (30, 2000)])
def test_annotated_pictures_of_any_size(size: tuple[int, int]) -> None:
    faces = [face((-50, -20, 3, 4)), face((0, 0, 9000, 9000)), face((5000, 5000, 5100, 5100))]
    drawn = annotated(grey(*size), faces)
    assert drawn.shape == (*size, 3)
    assert drawn.dtype == np.uint8
    write_foot(drawn, FOOT)
    assert with_foot_below(drawn, FOOT).shape[1:] == drawn.shape[1:]
