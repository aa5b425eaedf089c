"""What varies a picture before it is brought to the encoder's size, by real codecs: on the CPU, one by one.

What a whole batch can share on its device is `batch_augmentation.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gend.data.calls import CallDegradation, CallShares, degrade
from gend.data.degrade import code_jpeg
from gend.training.config import AugmentationSection

Pixels = NDArray[np.uint8]


def vary_pictures(rng: np.random.Generator, pictures: Sequence[Pixels], how: AugmentationSection) -> list[Pixels]:
    """The members of a pair, or one picture, after a mirror, a call and a file.

    A call is one for all members: what must not tell them apart is done to both. JPEG qualities and mirrors are each
    one's own, as in GenD's recipe.

    Args:
        rng: where everything random comes from.
        pictures: RGB uint8 (h, w, 3), of any sizes.
        how: what is done, and how often.
    """
    varied = [picture[:, ::-1] if rng.random() < how.flip else picture for picture in pictures]
    varied = [np.ascontiguousarray(picture) for picture in varied]
    if rng.random() < how.call.probability:
        shares = CallShares(how.call.codec, how.call.ladder, how.call.loss, how.call.recapture)
        call = CallDegradation.draw(rng, shares)
        same_size = len({picture.shape for picture in varied}) == 1
        # Of two sizes they cannot share a stream, but may share all that happens to it.
        varied = degrade(varied, call) if same_size else [degrade([picture], call)[0] for picture in varied]
    if how.jpeg is not None:
        low, high = how.jpeg
        varied = [code_jpeg(picture, int(rng.integers(low, high + 1))) for picture in varied]
    return varied
