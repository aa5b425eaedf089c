"""Pairs to learn from: alike but for the face, ready for the encoder, reproducible, with nobody of the clip in them."""

from __future__ import annotations

import numpy as np
import pytest

from gend.data.degrade import Capture, code_h264, code_jpeg
from gend.data.drawn import DrawnFaces
from gend.data.leaves import draw_leaves
from gend.data.pairs import Sources, draw_pairs, join
from gend.data.photographs import Faces
from gend.data.portraits import PORTRAITS


def test_draw_pairs_same_state_gives_the_same_pairs() -> None:
    first, second = (draw_pairs(np.random.default_rng(4), Sources.drawn(), 4, 112) for _ in range(2))
    assert np.array_equal(first.real, second.real)
    assert np.array_equal(first.fake, second.fake)


def test_draw_pairs_members_differ_where_the_face_was_remade() -> None:
    rng = np.random.default_rng(0)
    pairs = join([draw_pairs(rng, Sources.drawn(), 8, 112) for _ in range(6)])
    assert pairs.real.shape == pairs.fake.shape == (48, 112, 112, 3)
    assert pairs.real.dtype == np.uint8
    apart = np.abs(pairs.real.astype(float) - pairs.fake).mean(axis=3)
    inside, outside = apart[pairs.remade > 200].mean(), apart[pairs.remade == 0].mean()
    assert inside > 2 * outside


def test_faces_of_the_clip_are_never_learnt_from() -> None:
    held_out = [portrait for portrait in PORTRAITS if portrait.held_out]
    assert {portrait.name for portrait in held_out} == {"astronaut", "t1-0", "t1-1", "t1-2"}
    with pytest.raises(ValueError, match="astronaut"):
        Faces(PORTRAITS)


def test_regions_learnt_from_show_no_face_of_the_clip() -> None:
    for shown in (portrait for portrait in PORTRAITS if portrait.held_out):
        reach = 0.5 * float(np.ptp(shown.landmarks[:, 0]))
        x0, y0 = shown.landmarks.min(axis=0) - reach
        x1, y1 = shown.landmarks.max(axis=0) + reach
        for learnt in (portrait for portrait in PORTRAITS if not portrait.held_out):
            if learnt.picture == shown.picture:
                left, top, right, bottom = learnt.region
                assert right <= x0 or left >= x1 or bottom <= y0 or top >= y1


def test_capture_noise_is_the_same_for_both_members() -> None:
    capture = Capture(detail=1.0, by_blur=False, earlier_quality=None, noise=5.0, grain_px=1, seed=7)
    grey = np.full((64, 64, 3), 128, np.uint8)
    noisy = capture.add_noise(grey)
    assert np.array_equal(noisy, capture.add_noise(grey))
    assert 2 < noisy.std() < 6


def test_capture_draw_leaves_the_least_detail() -> None:
    rng = np.random.default_rng(0)
    assert min(Capture.draw(rng, 0.6).detail for _ in range(200)) >= 0.6


def test_code_h264_coarser_is_farther_and_tiles_stay_apart() -> None:
    rng = np.random.default_rng(2)
    pictures = [draw_leaves(rng, 130), DrawnFaces().draw(rng, 130).picture, np.zeros((130, 130, 3), np.uint8)]
    errors = []
    for crf in (18, 36):
        coded = code_h264(pictures, crf, (1.5, 0.0))
        assert [picture.shape for picture in coded] == [picture.shape for picture in pictures]
        errors.append(np.abs(np.stack(coded).astype(float) - np.stack(pictures)).mean())
        assert coded[2].mean() < 4  # black stays black, but for a soft seam
    assert errors[0] < errors[1] < 25


def test_code_jpeg_coarser_is_farther() -> None:
    picture = draw_leaves(np.random.default_rng(2), 96)
    errors = [np.abs(code_jpeg(picture, quality).astype(float) - picture).mean() for quality in (95, 40)]
    assert errors[0] < errors[1]
