"""From an aligned face of any size to the picture the encoder takes.

Shortest side to the encoder's by antialiased bicubic interpolation, then a centre crop, as CLIP was trained. It
stays uint8: a quarter of the bytes to queue, and the network itself subtracts the mean. torch does in a third of
the time what PIL does, to within 2/255 in a few pixels of a thousand; OpenCV's cubic has no antialias.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

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
    picture = torch.from_numpy(np.array(aligned, order="C")).permute(2, 0, 1)[None]  # (1, 3, h, w)
    shortest = min(height, width)
    if shortest != input_px:
        size = [height * input_px // shortest, width * input_px // shortest]
        picture = F.interpolate(picture, size, mode="bicubic", antialias=True)
    top, left = (picture.shape[2] - input_px) // 2, (picture.shape[3] - input_px) // 2
    square = picture[0, :, top : top + input_px, left : left + input_px]
    pixels: Pixels = np.ascontiguousarray(square.permute(1, 2, 0).numpy())
    return pixels
