from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gend.errors import PictureError
from gend.preprocess import Pixels, encoder_input


def pil_input(aligned: Pixels, px: int) -> Pixels:
    """What the released models were trained on: PIL's antialiased bicubic, shortest side, centre crop."""
    height, width, _ = aligned.shape
    shortest = min(height, width)
    picture = Image.fromarray(aligned).resize(
        (width * px // shortest, height * px // shortest), Image.Resampling.BICUBIC
    )
    left, top = (picture.width - px) // 2, (picture.height - px) // 2
    return np.asarray(picture.crop((left, top, left + px, top + px)))


@pytest.mark.parametrize("shape", [(256, 256), (100, 100), (301, 256), (256, 301), (1000, 700), (13, 17), (1, 1)])
@pytest.mark.parametrize("px", [112, 224])
def test_encoder_input_equals_pil(shape: tuple[int, int], px: int) -> None:
    aligned = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(encoder_input(aligned, px), pil_input(aligned, px))


def test_encoder_input_of_a_face_equals_pil(assets: Path) -> None:
    aligned = np.asarray(Image.open(assets / "golden" / "align_0_none.png").convert("RGB"))
    np.testing.assert_array_equal(encoder_input(aligned, 224), pil_input(aligned, 224))


def test_preparing_a_crop_needs_no_torch() -> None:
    code = "import sys, gend.preprocess, gend.model, gend.faces; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_encoder_input_of_the_right_size_is_a_copy() -> None:
    aligned = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    prepared = encoder_input(aligned, 224)
    np.testing.assert_array_equal(prepared, aligned)
    assert not np.shares_memory(prepared, aligned)


def test_encoder_input_takes_views() -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    rgb = bgr[:, :, ::-1]
    rgb.flags.writeable = False
    np.testing.assert_array_equal(encoder_input(rgb, 112), encoder_input(rgb.copy(), 112))


@pytest.mark.parametrize(
    ("aligned", "said"),
    [
        (np.zeros((9, 9, 3), np.float32), "uint8, not float32"),
        (np.zeros((9, 9), np.uint8), r"shape \(h, w, 3\), not \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), r"not \(9, 9, 4\)"),
        (np.zeros((0, 9, 3), np.uint8), "9 x 0 px is empty"),
    ],
)
def test_encoder_input_refuses(aligned: Pixels, said: str) -> None:
    with pytest.raises(PictureError, match=said):
        encoder_input(aligned, 224)
