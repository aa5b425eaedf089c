"""From an aligned face of any size to the picture the encoder takes.

Shortest side to the encoder's by antialiased bicubic interpolation, then a centre crop, as CLIP was trained: by PIL,
so bit for bit what the released models were given. It stays uint8: a quarter of the bytes to queue, and the network
itself subtracts the mean. No torch here: processes that only watch a stream prepare their crops without it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gend.errors import PictureError

Pixels = NDArray[np.uint8]


def encoder_input(aligned: Pixels, input_px: int) -> Pixels:
    """The encoder's view of a face.

    Args:
        aligned: RGB uint8 (h, w, 3), at the size the frame gave it.
        input_px: Side of the encoder's input.

    Returns:
        RGB uint8 (input_px, input_px, 3), never a view of `aligned`.

    Raises:
        PictureError: Where `aligned` is no such picture, or is empty.
    """
    if aligned.dtype != np.uint8:
        raise PictureError(f"a face must be uint8, not {aligned.dtype}")
    if aligned.ndim != 3 or aligned.shape[2] != 3:
        raise PictureError(f"a face must have the shape (h, w, 3), not {aligned.shape}")
    height, width, _ = aligned.shape
    if not height or not width:
        raise PictureError(f"a face of {width} x {height} px is empty")
    picture = Image.fromarray(np.ascontiguousarray(aligned))
    shortest = min(height, width)
    if shortest != input_px:
        size = width * input_px // shortest, height * input_px // shortest
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (picture.width - input_px) // 2, (picture.height - input_px) // 2
    pixels: Pixels = np.array(picture.crop((left, top, left + input_px, top + input_px)))
    return pixels
