"""Self-blended images: the face changes, in many ways, and nothing else does; the control changes all alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gend.data.drawn import DrawnFaces
from gend.data.lowres import Hull
from gend.data.sample import Sample
from gend.data.selfblend import BlendMask, Look, SelfBlend, self_blend
from gend.errors import PictureError

_VISIBLE = SelfBlend(look=Look(brightness=12.0, contrast=0.9), zoom=(1.03, 0.97), shift=(0.02, 0.0))


@pytest.fixture
def face() -> Sample:
    return DrawnFaces().draw(np.random.default_rng(5), 224)


@pytest.mark.parametrize("seed", range(12))
def test_self_blend_leaves_what_is_outside_the_mask(face: Sample, seed: int) -> None:
    how, before = SelfBlend.draw(np.random.default_rng(seed)), face.picture.copy()
    fake, weight = self_blend(face.picture, face.landmarks, how)
    target = how.target(face.picture)
    assert np.array_equal(face.picture, before)
    assert fake.shape == face.picture.shape
    assert fake.dtype == np.uint8
    assert 0.2 < (weight == 0).mean() < 0.99
    assert np.array_equal(fake[weight == 0], target[weight == 0])
    assert weight.max() == pytest.approx(how.ratio, abs=0.02)
    assert (fake[weight > how.ratio / 2] != target[weight > how.ratio / 2]).any()


def test_self_blend_source_alone_has_the_look_unless_it_is_the_targets(face: Sample) -> None:
    assert np.array_equal(_VISIBLE.target(face.picture), face.picture)
    of_target = replace(_VISIBLE, look_of="target")
    fake, weight = self_blend(face.picture, face.landmarks, of_target)
    assert np.abs(fake[weight == 0].astype(float) - face.picture[weight == 0]).mean() > 5
    # Where nothing but the source is left, it is the picture itself, only moved.
    moved = of_target.without_blend(face.picture, face.landmarks)
    assert np.array_equal(fake[weight == 1], moved[weight == 1])


def test_self_blend_of_ratio_0_changes_nothing(face: Sample) -> None:
    fake, weight = self_blend(face.picture, face.landmarks, replace(_VISIBLE, ratio=0.0))
    assert np.array_equal(fake, face.picture)
    assert not weight.any()


def test_self_blend_a_lower_ratio_changes_less(face: Sample) -> None:
    changes = []
    for ratio in (0.25, 0.5, 1.0):
        fake, _ = self_blend(face.picture, face.landmarks, replace(_VISIBLE, ratio=ratio))
        changes.append(np.abs(fake.astype(float) - face.picture).mean())
    assert changes == sorted(changes)
    assert changes[0] < 0.4 * changes[2]


def test_self_blend_is_deterministic(face: Sample) -> None:
    first, second = (SelfBlend.draw(np.random.default_rng(3)) for _ in range(2))
    assert first == second
    fakes = [self_blend(face.picture, face.landmarks, how) for how in (first, second)]
    assert np.array_equal(fakes[0][0], fakes[1][0])
    assert np.array_equal(fakes[0][1], fakes[1][1])


def test_without_blend_is_the_source_all_over(face: Sample) -> None:
    null = _VISIBLE.without_blend(face.picture, face.landmarks)
    fake, weight = self_blend(face.picture, face.landmarks, _VISIBLE)
    assert np.array_equal(fake[weight == 1], null[weight == 1])
    assert np.abs(null[weight == 0].astype(float) - face.picture[weight == 0]).mean() > 5


def test_without_blend_moves_about_the_face(face: Sample) -> None:
    """A face keeps its place when it is scaled, and goes where the shift says."""
    dot = np.zeros_like(face.picture)
    x, y = np.rint(face.landmarks.mean(axis=0)).astype(int)
    dot[y - 2 : y + 3, x - 2 : x + 3] = 255
    scaled = SelfBlend(zoom=(1.05, 1.05)).without_blend(dot, face.landmarks)
    shifted = SelfBlend(shift=(0.1, 0.0)).without_blend(dot, face.landmarks)
    places = [np.argwhere(picture[..., 0] > 100).mean(axis=0) for picture in (dot, scaled, shifted)]
    assert places[1] == pytest.approx(places[0], abs=1)
    assert places[2][0] == pytest.approx(places[0][0], abs=1)
    assert 12 < places[2][1] - places[0][1] < 22  # a tenth of a template of about 172 pixels


def test_mask_grows_or_shrinks_by_the_order_of_its_kernels(face: Sample) -> None:
    areas = [
        BlendMask(elastic=0.0, first_kernel=first, second_kernel=second).weight(face.landmarks, (224, 224)).sum()
        for first, second in ((0.15, 0.04), (0.04, 0.04), (0.04, 0.15))
    ]
    assert areas[0] < 0.9 * areas[1]
    soft = BlendMask(elastic=0.0, first_kernel=0.04, second_kernel=0.15).weight(face.landmarks, (224, 224))
    hard = BlendMask(elastic=0.0, first_kernel=0.04, second_kernel=0.01).weight(face.landmarks, (224, 224))
    assert ((soft > 0) & (hard == 0)).sum() > 0.03 * 224 * 224


def test_mask_deformation_depends_on_the_seed_alone(face: Sample) -> None:
    masks = [BlendMask(elastic=0.03, seed=seed).weight(face.landmarks, (224, 224)) for seed in (1, 1, 2)]
    assert np.array_equal(masks[0], masks[1])
    assert np.abs(masks[0] - masks[2]).mean() > 0.005


def test_draw_sometimes_blends_the_lower_face_alone(face: Sample) -> None:
    rng = np.random.default_rng(0)
    masks = [BlendMask.draw(rng).weight(face.landmarks, (224, 224)) for _ in range(60)]
    x, y = np.rint(face.landmarks).astype(int).T
    seen = np.array([mask[y, x] for mask in masks])
    eyes, mouth = seen[:, :2].max(axis=1) > 0.1, seen[:, 3:].max(axis=1) > 0.1
    assert 4 < (mouth & ~eyes).sum() < 30
    assert (eyes & mouth).sum() > 20
    assert min(mask.max() for mask in masks) > 0.9


def test_look_of_grey_stays_grey() -> None:
    grey = np.full((40, 40, 3), 90, np.uint8)
    shown = Look(hue_deg=5, saturation=1.2, brightness=10).apply(grey)
    assert np.ptp(shown) == 0
    assert shown[0, 0, 0] == 100


def test_look_sharpens_and_reduces(face: Sample) -> None:
    def detail(picture: np.ndarray) -> float:
        return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())

    sharp = Look(detail="sharpen", strength=1.0).apply(face.picture)
    reduced = Look(detail="reduce", strength=2.0).apply(face.picture)
    assert detail(reduced) < 0.9 * detail(face.picture) < 0.9 * detail(sharp)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (601, 600), (97, 131)])
def test_self_blend_of_any_size(height: int, width: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    landmarks = DrawnFaces().draw(np.random.default_rng(1), min(height, width)).landmarks
    for seed in range(6):
        fake, weight = self_blend(picture, landmarks, SelfBlend.draw(np.random.default_rng(seed)))
        assert fake.shape == picture.shape
        assert weight.shape == (height, width)
        assert weight.any()


def test_self_blend_of_a_face_outside_the_picture_changes_nothing(face: Sample) -> None:
    fake, weight = self_blend(face.picture, face.landmarks + np.float32(10_000), _VISIBLE)
    assert not weight.any()
    assert np.array_equal(fake, face.picture)


def test_self_blend_refuses_what_is_no_face(face: Sample) -> None:
    with pytest.raises(PictureError):
        self_blend(face.picture, np.zeros((5, 2), np.float32), _VISIBLE)
    with pytest.raises(PictureError):
        self_blend(face.picture[..., 0], face.landmarks, _VISIBLE)


def test_hull_decides_what_is_blended(face: Sample) -> None:
    low = BlendMask(hull=Hull(0.3, 0.2, 0.82, 2.0, 0.01), elastic=0.0).weight(face.landmarks, (224, 224))
    rows = np.flatnonzero(low.any(axis=1))
    assert rows[0] > face.landmarks[:2, 1].max()
