from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.data.drawn import DrawnFaces
from gend.evaluation.corruptions import FILTERS, Corruption


@pytest.fixture(scope="module")
def crop() -> NDArray[np.uint8]:
    """Taller than wide, of odd size."""
    return DrawnFaces().draw(np.random.default_rng(0), 160).picture[:151, 20:133].copy()


def error(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.sqrt(((a.astype(float) - b) ** 2).mean()))


@pytest.mark.parametrize(
    ("kind", "severities"),
    [("jpeg", (90, 50, 10)), ("blur", (1, 2, 3)), ("noise", (0.02, 0.1, 0.2)), ("h264", (18, 33, 45))],
)
def test_each_is_worse_than_the_one_before_and_the_same_each_time(
    crop: NDArray[np.uint8], kind: str, severities: tuple[float, ...]
) -> None:
    made = [Corruption(kind, severity).apply(crop, 1) for severity in severities]  # type: ignore[arg-type]
    for worse in made:
        assert (worse.shape, worse.dtype) == (crop.shape, crop.dtype)
    errors = [error(worse, crop) for worse in made]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert np.array_equal(Corruption(kind, severities[1]).apply(crop, 1), made[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FILTERS)
def test_resize_brings_the_longest_side_to_size(crop: NDArray[np.uint8], name: str) -> None:
    made = Corruption("resize", 64, name).apply(crop, 0)  # type: ignore[arg-type]
    assert made.shape == (64, 48, 3)


def test_filters_differ(crop: NDArray[np.uint8]) -> None:
    made = [Corruption("resize", 64, name).apply(crop, 0).tobytes() for name in FILTERS]
    assert len(set(made)) == len(FILTERS)


def test_noise_is_as_strong_as_it_says_and_differs_by_crop() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    made = Corruption("noise", 0.1).apply(grey, 1)
    assert made.std() == pytest.approx(25.5, rel=0.03)
    assert not np.array_equal(made, Corruption("noise", 0.1).apply(grey, 2))


def test_blur_scales_with_the_crop() -> None:
    """The same face at twice the size is blurred by twice the pixels."""
    edge = np.zeros((256, 256, 3), np.uint8)
    edge[:, 128:] = 255
    small = Corruption("blur", 2).apply(edge, 0)
    large = Corruption("blur", 2).apply(np.repeat(np.repeat(edge, 2, 0), 2, 1), 0)
    assert large[::2, ::2].astype(int) == pytest.approx(small.astype(int), abs=18)


def test_names_are_for_files_and_tables() -> None:
    assert Corruption("jpeg", 50).name == "jpeg-50"
    assert Corruption("blur", 0.5).name == "blur-0.5"
    assert Corruption("resize", 64, "bicubic").name == "resize-64-bicubic"
