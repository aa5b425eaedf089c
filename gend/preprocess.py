"""From an aligned face of any size to the picture the encoder takes.

Shortest side to the encoder's by antialiased interpolation, then a centre crop, as the encoders were trained. It stays
uint8: a quarter of the bytes to queue, and the network itself subtracts the mean. No torch here: processes that only
watch a stream prepare their crops without it. What each choice costs, in time and in logits: `docs/preprocessing.md`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from gend.errors import PictureError
from gend.resample import Interpolation, Pixels, Span, resample

Mode = Literal["fast", "exact"]

_LONGEST = 16
"""Sides of a face; beyond, a strip of one pixel by thousands would be enlarged to gigabytes only to be cropped."""
_PIL_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def encoder_input(
    aligned: Pixels, input_px: int, *, interpolation: Interpolation = "bicubic", mode: Mode = "fast"
) -> Pixels:
    """The encoder's view of a face.

    Args:
        aligned: RGB uint8 (h, w, 3), at the size the frame gave it.
        input_px: Side of the encoder's input.
        interpolation: The one the encoder was trained with: `bicubic` for CLIP and PE, `bilinear` for DINOv3.
        mode: `exact` is PIL's result bit for bit, `fast` differs from it by single levels in few places.

    Returns:
        RGB uint8 (input_px, input_px, 3), never a view of `aligned`. The same input always gives the same.

    Raises:
        PictureError: Where `aligned` is no such picture, is empty, or is longer than 16 times its shorter side.
    """
    _check(aligned)
    height, width, _ = aligned.shape
    shortest = min(height, width)
    whole_height, whole_width = height * input_px // shortest, width * input_px // shortest
    top, left = (whole_height - input_px) // 2, (whole_width - input_px) // 2
    if shortest == input_px:
        return aligned[top : top + input_px, left : left + input_px].copy()
    if mode == "fast":
        rows, columns = Span(whole_height, top, input_px), Span(whole_width, left, input_px)
        return resample(aligned, rows, columns, interpolation)
    picture = Image.fromarray(np.ascontiguousarray(aligned))
    picture = picture.resize((whole_width, whole_height), _PIL_FILTERS[interpolation])
    return np.array(picture.crop((left, top, left + input_px, top + input_px)))


def _check(aligned: Pixels) -> None:
    if aligned.dtype != np.uint8:
        raise PictureError(f"a face must be uint8, not {aligned.dtype}")
    if aligned.ndim != 3 or aligned.shape[2] != 3:
        raise PictureError(f"a face must have the shape (h, w, 3), not {aligned.shape}")
    height, width, _ = aligned.shape
    if not height or not width:
        raise PictureError(f"a face of {width} x {height} px is empty")
    if max(height, width) > _LONGEST * min(height, width):
        raise PictureError(f"a face of {width} x {height} px is a strip: no side may exceed {_LONGEST} times the other")
