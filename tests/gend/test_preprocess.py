from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gend.errors import PictureError
from gend.preprocess import Mode, encoder_input
from gend.resample import Interpolation, Pixels
from tests.gend.fetched import fetched


def pil_input(aligned: Pixels, px: int, interpolation: Interpolation = "bicubic") -> Pixels:
    """What the released models were trained on: PIL's antialiased kernels, shortest side, centre crop."""
    height, width, _ = aligned.shape
    shortest = min(height, width)
    size = width * px // shortest, height * px // shortest
    picture = Image.fromarray(aligned).resize(size, Image.Resampling[interpolation.upper()])
    left, top = (picture.width - px) // 2, (picture.height - px) // 2
    return np.asarray(picture.crop((left, top, left + px, top + px)))


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


SHAPES = [(256, 256), (100, 100), (301, 256), (256, 301), (1000, 700), (13, 17), (1, 1)]
# At some sizes a triangle's weights are simple fractions and many sums are halves, which PIL's fixed point just misses.
KERNELS: list[tuple[Interpolation, float]] = [("bicubic", 0.002), ("bilinear", 0.06)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("px", [112, 224])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_exact_equals_pil(shape: tuple[int, int], px: int, interpolation: Interpolation) -> None:
    aligned = noise(*shape)
    exact = encoder_input(aligned, px, interpolation=interpolation, mode="exact")
    np.testing.assert_array_equal(exact, pil_input(aligned, px, interpolation))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("px", [112, 224])
@pytest.mark.parametrize(("interpolation", "allowed"), KERNELS)
def test_fast_is_near_pil(shape: tuple[int, int], px: int, interpolation: Interpolation, allowed: float) -> None:
    aligned = noise(*shape)
    fast = encoder_input(aligned, px, interpolation=interpolation)
    difference = np.abs(fast.astype(int) - pil_input(aligned, px, interpolation))
    assert fast.dtype == np.uint8
    assert difference.max() <= 2
    assert (difference > 0).mean() < allowed


@pytest.mark.parametrize("native_px", [64, 90, 115, 156, 224, 256, 320, 401, 600])
@pytest.mark.parametrize(("interpolation", "allowed"), KERNELS)
def test_fast_of_a_face_is_near_pil(native_px: int, interpolation: Interpolation, allowed: float) -> None:
    picture = Image.open(fetched("astronaut")).convert("RGB")
    face = np.array(picture.crop((150, 40, 300, 190)).resize((native_px, native_px)))
    fast = encoder_input(face, 224, interpolation=interpolation)
    difference = np.abs(fast.astype(int) - pil_input(face, 224, interpolation))
    assert difference.max() <= 2
    assert (difference > 0).mean() < allowed


def test_exact_of_a_face_equals_pil(assets: Path) -> None:
    aligned = np.asarray(Image.open(assets / "golden" / "align_0_none.png").convert("RGB"))
    np.testing.assert_array_equal(encoder_input(aligned, 224, mode="exact"), pil_input(aligned, 224))


@pytest.mark.parametrize("shape", [(256, 256), (301, 256), (115, 180)])
def test_exact_equals_transformers_processor(shape: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}, resample=3,
        do_rescale=False, do_normalize=False,
    )  # fmt: skip
    aligned = noise(*shape)
    theirs = processor(aligned, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    np.testing.assert_array_equal(encoder_input(aligned, 224, mode="exact"), theirs)


def test_fast_always_gives_the_same() -> None:
    aligned = noise(301, 256)
    first = encoder_input(aligned, 224)
    with ThreadPoolExecutor(4) as threads:
        others = list(threads.map(lambda _: encoder_input(aligned, 224), range(16)))
    assert all(np.array_equal(first, other) for other in others)


def test_fast_keeps_flat_colours() -> None:
    for level in (0, 1, 127, 254, 255):
        assert (encoder_input(np.full((321, 300, 3), level, np.uint8), 224) == level).all()


def test_preparing_a_crop_needs_no_torch() -> None:
    code = (
        "import sys, numpy, gend.model, gend.faces; from gend.preprocess import encoder_input; "
        "encoder_input(numpy.zeros((90, 90, 3), numpy.uint8), 112); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_encoder_input_of_the_right_size_is_a_copy(mode: Mode) -> None:
    aligned = noise(224, 224)
    prepared = encoder_input(aligned, 224, mode=mode)
    np.testing.assert_array_equal(prepared, aligned)
    assert not np.shares_memory(prepared, aligned)


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize("side", [90, 300])
def test_encoder_input_takes_views(mode: Mode, side: int) -> None:
    rgb = noise(side * 2, side)[::2, :, ::-1]
    rgb.flags.writeable = False
    np.testing.assert_array_equal(encoder_input(rgb, 112, mode=mode), encoder_input(rgb.copy(), 112, mode=mode))


@pytest.mark.parametrize("mode", ["fast", "exact"])
@pytest.mark.parametrize(
    ("aligned", "said"),
    [
        (np.zeros((9, 9, 3), np.float32), "uint8, not float32"),
        (np.array([np.zeros((9, 9, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)], dtype=object), "uint8, not object"),
        (np.zeros((9, 9), np.uint8), r"shape \(h, w, 3\), not \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), r"not \(9, 9, 4\)"),
        (np.zeros((2, 9, 9, 3), np.uint8), r"not \(2, 9, 9, 3\)"),
        (np.zeros((0, 9, 3), np.uint8), "9 x 0 px is empty"),
        (np.zeros((1, 50_000, 3), np.uint8), "50000 x 1 px is a strip"),
    ],
    ids=["floats", "mixed sizes", "grey", "alpha", "several", "empty", "a strip"],
)
def test_encoder_input_refuses(aligned: Pixels, said: str, mode: Mode) -> None:
    with pytest.raises(PictureError, match=said):
        encoder_input(aligned, 224, mode=mode)
