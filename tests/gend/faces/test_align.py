from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gend.errors import PictureError
from gend.faces import align, alignment
from gend.faces.align import MAX_PX, TEMPLATE, five_points

# Landmarks (eyes, nose tip, mouth corners), native size, native matrix, matrix at 256: the authors' own implementation.
GOLDEN = [
    (
        [[300.8, 235.2], [339.2, 235.2], [320.0, 256.8], [304.4, 278.4], [335.6, 278.4]],
        156,
        [[1.0, 0.0, -242.0], [0.0, 1.0, -162.0]],
        [[1.641025, 0.0, -397.12806], [0.0, 1.641025, -265.84615]],
    ),
    (
        [
            [284.65747, 194.388],
            [316.42746, 203.32689],
            [296.82895, 211.44225],
            [280.26303, 222.00682],
            [305.61560, 228.86493],
        ],
        115,
        [[0.991187, 0.194706, -277.00893], [-0.194706, 0.991187, -81.59943]],
        [[2.206469, 0.433432, -616.64611], [-0.433432, 2.206469, -181.64741]],
    ),
    (
        [
            [380.50693, 265.03943],
            [454.53778, 240.64606],
            [425.69061, 281.09866],
            [427.23505, 328.02869],
            [465.99856, 305.63544],
        ],
        266,
        [[0.905108, -0.391970, -145.56022], [0.391970, 0.905108, -264.34362]],
        [[0.871081, -0.377234, -140.08805], [0.377234, 0.871081, -254.40591]],
    ),
    (
        [[59.30377, 86.64657], [100.8691, 85.5193], [74.66607, 103.53838], [51.23809, 131.74736], [96.00185, 139.851]],
        189,
        [[0.989819, 0.104337, 7.44150], [-0.104337, 0.989819, 14.48073]],
        [[1.340707, 0.141324, 10.07949], [-0.141324, 1.340707, 19.61411]],
    ),
    (
        [
            [324.12534, 246.66191],
            [334.30536, 249.50657],
            [326.04584, 252.56795],
            [318.48392, 255.38091],
            [322.78888, 260.4051],
        ],
        43,
        [[0.760685, 0.558146, -366.99435], [-0.558146, 0.760685, 15.23121]],
        [[4.528731, 3.322917, -2184.89682], [-3.322917, 4.528731, 90.67893]],
    ),
]
FACE = np.array(GOLDEN[0][0], dtype=np.float32)


def grey(height: int = 480, width: int = 640) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, dtype=np.uint8)


@pytest.mark.parametrize(("points", "size", "native", "fixed"), GOLDEN)
def test_alignment_golden(
    points: list[list[float]], size: int, native: list[list[float]], fixed: list[list[float]]
) -> None:
    landmarks = np.array(points, dtype=np.float32)
    matrix, side = alignment(landmarks)
    assert side == size
    np.testing.assert_allclose(matrix, native, rtol=1e-5, atol=1e-3)
    matrix, side = alignment(landmarks, 256)
    assert side == 256
    np.testing.assert_allclose(matrix, fixed, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("case", range(len(GOLDEN)))
@pytest.mark.parametrize("target", ["none", "256"])
def test_align_golden_pixels(assets: Path, case: int, target: str) -> None:
    picture = cv2.imread(str(assets / "golden" / "align_input.png"))
    expected = cv2.imread(str(assets / "golden" / f"align_{case}_{target}.png"))
    assert picture is not None
    assert expected is not None
    crop = align(
        picture.astype(np.uint8), np.array(GOLDEN[case][0], np.float32), size=None if target == "none" else 256
    )
    difference = np.abs(crop.astype(int) - expected)
    # The golden crops were cut by another OpenCV, which rounds otherwise, and most of all along the picture's edge.
    assert difference.max() <= (4 if case == 3 else 1)
    assert (difference > 0).mean() < 0.03


def test_alignment_equals_the_golden_file(assets: Path) -> None:
    cases = json.loads((assets / "golden" / "functions.json").read_text())["align"]["cases"]
    assert len(cases) == 2 * len(GOLDEN)
    for case in cases:
        landmarks = np.array(case["landmarks"], np.float32)
        matrix, side = alignment(landmarks, None if case["target"] == "none" else int(case["target"]))
        assert [side, side] == case["size"]
        np.testing.assert_allclose(matrix, case["matrix"], rtol=1e-5, atol=1e-3)


def test_align_region_equals_whole() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    landmarks = np.array(GOLDEN[1][0], dtype=np.float32)
    corner = (200, 100)
    region = picture[corner[1] : 300, corner[0] : 420]
    whole = align(picture, landmarks, size=112).astype(int)
    assert np.abs(align(region, landmarks - np.array(corner, np.float32), size=112) - whole).max() <= 1


def test_align_face_beyond_the_edge_is_black_there() -> None:
    crop = align(grey(), FACE - np.array([310, 0], np.float32))
    assert crop[:, 0].max() == 0
    assert crop[:, -1].min() == 128


def test_alignment_puts_template_where_it_belongs() -> None:
    landmarks = TEMPLATE * 100 + np.array([40, 30], np.float32)
    matrix, size = alignment(landmarks, scale=1.0)
    assert size == 100
    np.testing.assert_allclose(landmarks @ matrix[:, :2].T + matrix[:, 2], TEMPLATE * 100, atol=0.01)


def test_alignment_of_a_huge_face_is_bounded() -> None:
    _, size = alignment(TEMPLATE * 9000)
    assert size == MAX_PX


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((5, 2), np.float32),
        np.full((5, 2), np.nan, np.float32),
        np.full((5, 2), np.inf, np.float32),
        TEMPLATE[:3],
        TEMPLATE * 4,
    ],
    ids=["one point", "nan", "inf", "three points", "tiny"],
)
def test_align_degenerate_landmarks(landmarks: NDArray[np.float32]) -> None:
    with pytest.raises(PictureError, match="landmarks"):
        align(grey(), landmarks)


@pytest.mark.parametrize("picture", [np.zeros((48, 64), np.uint8), np.zeros((0, 5, 3), np.uint8), np.zeros((4, 4, 3))])
def test_align_not_a_picture(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(PictureError, match="picture"):
        align(picture, FACE)


@pytest.mark.parametrize(("points", "size"), [(points, size) for points, size, _, _ in GOLDEN[1:]])
def test_five_points_agree_with_true_corners(points: list[list[float]], size: int) -> None:
    true = np.array(points, dtype=np.float32)
    matrix, native = alignment(five_points(true[:2], true[2], true[3:].mean(axis=0)))
    expected, _ = alignment(true, native)
    places = ((TEMPLATE - 0.5) / 1.3 + 0.5) * native
    inverse = cv2.invertAffineTransform(expected)
    moved = (places @ inverse[:, :2].T + inverse[:, 2]) @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(native / size - 1) < 0.1
    assert np.linalg.norm(moved - places, axis=1).max() < 0.06 * native
