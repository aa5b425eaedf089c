"""The one manipulation: it changes the face and nothing else, and the same way each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gend.data.drawn import DrawnFaces
from gend.data.lowres import Hull, LowResolution, face_hull, face_width, remake_low_resolution
from gend.data.sample import Sample
from gend.errors import PictureError


@pytest.fixture
def face() -> Sample:
    return DrawnFaces().draw(np.random.default_rng(5), 224)


def _detail(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean step between neighbours."""
    steps = np.abs(np.diff(picture.astype(float).mean(axis=2), axis=1))
    return float(steps[where[:, 1:]].mean())


def test_remake_changes_only_inside_the_hull(face: Sample) -> None:
    how = LowResolution(colour_shift=(4, 0, -4))
    before = face.picture.copy()
    remade = remake_low_resolution(face.picture, face.landmarks, how)
    hull = face_hull(face.landmarks, (224, 224), how.hull)
    assert np.array_equal(face.picture, before)
    assert np.array_equal(remade[hull == 0], face.picture[hull == 0])
    assert (remade[hull == 1] != face.picture[hull == 1]).any(axis=1).mean() > 0.9


def test_remake_is_deterministic(face: Sample) -> None:
    first, second = (LowResolution.draw(np.random.default_rng(3)) for _ in range(2))
    assert first == second
    remade = remake_low_resolution(face.picture, face.landmarks, first)
    assert np.array_equal(remade, remake_low_resolution(face.picture, face.landmarks, second))


def test_remake_at_fewer_pixels_leaves_less_detail(face: Sample) -> None:
    inside = face_hull(face.landmarks, (224, 224), Hull()) == 1
    details = [
        _detail(remake_low_resolution(face.picture, face.landmarks, LowResolution(detail_px=px)), inside)
        for px in (8, 16, 32)
    ]
    assert details == sorted(details)
    assert details[-1] < _detail(face.picture, inside)


def test_remake_strength_does_not_depend_on_the_size_of_the_face() -> None:
    """The same few pixels are left of a face, however large the picture shows it."""
    sides = (112, 224)
    contrasts = []
    for side in sides:
        columns = np.arange(side)[None, :, None] * 24 // side % 2 * 200  # stripes, 24 to a crop
        stripes = np.broadcast_to(columns, (side, side, 3)).astype(np.uint8)
        landmarks = DrawnFaces().draw(np.random.default_rng(5), side).landmarks
        remade = remake_low_resolution(stripes, landmarks, LowResolution(detail_px=6))
        contrasts.append(remade[side // 2, side // 2 - side // 10 : side // 2 + side // 10].std())
    assert contrasts[0] == pytest.approx(contrasts[1], abs=25)
    assert max(contrasts) < 60  # the stripes' own is 100


def test_remake_of_a_face_outside_the_picture_changes_nothing(face: Sample) -> None:
    far = face.landmarks + np.float32(10_000)
    assert np.array_equal(remake_low_resolution(face.picture, far, LowResolution()), face.picture)


def test_remake_of_a_face_cut_by_the_edge(face: Sample) -> None:
    shift = np.array([-150, 0], np.float32)
    remade = remake_low_resolution(face.picture, face.landmarks + shift, LowResolution())
    assert remade.shape == face.picture.shape
    assert np.array_equal(remade[:, 150:], face.picture[:, 150:])


def test_remake_refuses_what_is_no_face(face: Sample) -> None:
    with pytest.raises(PictureError):
        remake_low_resolution(face.picture, np.zeros((5, 2), np.float32), LowResolution())


@pytest.mark.parametrize("feather", [0.05, 0.2])
def test_face_hull_is_soft_and_covers_eyes_and_mouth(face: Sample, feather: float) -> None:
    hull = face_hull(face.landmarks, (224, 224), replace(Hull(), feather=feather))
    assert hull.min() == 0
    assert hull.max() == 1
    x, y = np.rint(face.landmarks).astype(int).T
    assert (hull[y, x] > 0.3).all()
    assert hull[0].max() == 0
    assert np.abs(np.diff(hull, axis=1)).max() < 0.6


def test_face_width_scales_with_the_face(face: Sample) -> None:
    assert face_width(face.landmarks * 2) == pytest.approx(2 * face_width(face.landmarks))
