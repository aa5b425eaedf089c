from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gend.data.crop_files import find_crops
from gend.data.own_faces import OwnFaces
from gend.data.pairs import Manipulations, Sources, draw_pairs
from gend.data.sample import aligned_landmarks
from gend.errors import PictureError


def write(root: Path, source: str, colour: tuple[int, int, int], side: int = 200) -> None:
    folder = root / "lobby" / source / "v1"
    folder.mkdir(parents=True)
    picture = np.full((side, side, 3), colour, np.uint8)
    cv2.circle(picture, (side // 2, side // 2), side // 4, (255, 255, 255), -1)
    assert cv2.imwrite(str(folder / "0.png"), picture[..., ::-1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "real", (200, 40, 40))
    write(tmp_path, "swap", (40, 40, 200))
    return tmp_path


@pytest.mark.parametrize("side", [64, 200, 320])
def test_real_faces_alone_are_drawn_in_the_colours_of_the_camera(root: Path, side: int) -> None:
    faces = OwnFaces(find_crops(root))
    for seed in range(8):
        sample = faces.draw(np.random.default_rng(seed), side)
        assert sample.picture.shape == (side, side, 3)
        assert np.abs(sample.picture[: side // 16].reshape(-1, 3).mean(axis=0) - (200, 40, 40)).max() < 3
        # Turned, shifted and mirrored by a little, the landmarks stay about where alignment puts them.
        off = np.abs(np.sort(sample.landmarks, axis=0) - np.sort(aligned_landmarks(side), axis=0))
        assert off.max() < 0.15 * side


def test_pairs_are_made_of_them(root: Path) -> None:
    sources = Sources((OwnFaces(find_crops(root)),), (1.0,), ("own",))
    pairs = draw_pairs(np.random.default_rng(0), sources, 4, 96, Manipulations(0, 1))
    assert pairs.real.shape == pairs.fake.shape == (4, 96, 96, 3)
    assert not np.array_equal(pairs.real, pairs.fake)


def test_without_real_faces_it_is_refused(root: Path) -> None:
    fakes = [crop for crop in find_crops(root) if crop.label == 1]
    with pytest.raises(PictureError, match="no real crops to make pairs of"):
        OwnFaces(fakes)
