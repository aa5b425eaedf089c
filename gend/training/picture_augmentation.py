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
    call = _call(rng, how)
    if call is not None:
        same_size = len({picture.shape for picture in varied}) == 1
        # Of two sizes they cannot share a stream, but may share all that happens to it.
        varied = degrade(varied, call) if same_size else [degrade([picture], call)[0] for picture in varied]
    return _filed(rng, varied, how)


def vary_pair(
    rng: np.random.Generator, real: Pixels, fake: Pixels, changed: Pixels, how: AugmentationSection
) -> tuple[Pixels, Pixels, Pixels]:
    """The same for a pair that was made, mirrored together, and the map of what was changed with it.

    Args:
        rng: where everything random comes from.
        real: RGB uint8 (s, s, 3).
        fake: the same, manipulated.
        changed: how much of each pixel of `fake` is manipulated, of 255, (s, s).
        how: what is done, and how often.
    """
    if rng.random() < how.flip:
        real, fake, changed = (np.ascontiguousarray(each[:, ::-1]) for each in (real, fake, changed))
    call = _call(rng, how)
    if call is not None:
        real, fake = degrade([real, fake], call)
        changed = np.rint(call.move(changed.astype(np.float32))).clip(0, 255).astype(np.uint8)
    real, fake = _filed(rng, [real, fake], how)
    return real, fake, changed


def _call(rng: np.random.Generator, how: AugmentationSection) -> CallDegradation | None:
    if rng.random() >= how.call.probability:
        return None
    shares = CallShares(how.call.codec, how.call.ladder, how.call.loss, how.call.recapture)
    return CallDegradation.draw(rng, shares)


def _filed(rng: np.random.Generator, pictures: list[Pixels], how: AugmentationSection) -> list[Pixels]:
    if how.jpeg is None:
        return pictures
    low, high = how.jpeg
    return [code_jpeg(picture, int(rng.integers(low, high + 1))) for picture in pictures]
