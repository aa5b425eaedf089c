"""What calls do to a face on its way: codecs at a call's bitrate, smaller sizes, lost packets, a screen filmed.

The codecs are real, and so is what decoders make of lost packets. A degradation is drawn once and done alike to all
members of a pair: the same quantiser, the same motion, the same losses. Otherwise it would tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gend.data.recapture import Recapture
from gend.data.transmission import Loss, Transmission
from gend.errors import PictureError
from gend.faces.align import check_picture

Pixels = NDArray[np.uint8]

_CALL_BITS_PER_PX = (0.015, 0.08)
"""Of a frame of 720p at 0.3 to 1.5 Mb/s and 30 frames a second, half as much again: a face moves, its room does not."""
_REDUCED_BITS_PER_PX = (0.018, 0.055)
"""Divided by the scale: 360p at 0.25 to 0.75 Mb/s, 180p at 0.12 to 0.37."""
_SCALES, _SCALE_SHARES = (1 / 2, 1 / 3, 1 / 4), (0.5, 0.3, 0.2)


@dataclass(frozen=True, slots=True)
class CallShares:
    """How often each kind is drawn; the shares are relative."""

    codec: float = 1.0
    """Coded again at a call's bitrate."""
    ladder: float = 1.0
    """Sent at a half to a quarter of the size."""
    loss: float = 0.5
    """Packets lost, and what decoders make of the rest."""
    recapture: float = 0.5
    """Filmed from a screen; every other one is then coded as well."""

    def __post_init__(self) -> None:
        """Refuses shares that are none.

        Raises:
            ValueError: one is negative, or all are 0.
        """
        shares = (self.codec, self.ladder, self.loss, self.recapture)
        if min(shares) < 0 or sum(shares) <= 0:
            raise ValueError(f"calls: no shares: {self}")


@dataclass(frozen=True, slots=True)
class CallDegradation:
    """What happens to a crop: filmed, then sent, or one of the two."""

    transmission: Transmission | None = None
    recapture: Recapture | None = None

    @classmethod
    def draw(cls, rng: np.random.Generator, shares: CallShares) -> CallDegradation:
        """One at random, of a kind drawn by its share."""
        weights = np.array([shares.codec, shares.ladder, shares.loss, shares.recapture])
        kind = ("codec", "ladder", "loss", "recapture")[rng.choice(4, p=weights / weights.sum())]
        if kind == "recapture":
            sent = _draw_transmission(rng, _CALL_BITS_PER_PX) if rng.random() < 0.5 else None
            return cls(sent, Recapture.draw(rng))
        if kind == "ladder":
            scale, cubic = _SCALES[rng.choice(3, p=_SCALE_SHARES)], rng.random() < 0.5
            sent = _draw_transmission(rng, (_REDUCED_BITS_PER_PX[0] / scale, _REDUCED_BITS_PER_PX[1] / scale))
            return cls(replace(sent, scale=scale, enlarge="cubic" if cubic else "linear"))
        sent = _draw_transmission(rng, _CALL_BITS_PER_PX)
        if kind == "loss":
            # While nothing moves, a loss hardly shows; twice the motion takes about twice the bits.
            lively = replace(
                sent,
                bits_per_px=2 * sent.bits_per_px,
                motion=(2 * sent.motion[0], 2 * sent.motion[1]),
                expression=2 * sent.expression,
            )
            return cls(replace(lively, loss=Loss.draw(rng, sent.codec)))
        return cls(sent)

    def move(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of a picture, float32 (h, w), moved as `degrade` moves the picture. Only a screen filmed does."""
        return weight if self.recapture is None else self.recapture.move(weight)


def degrade(pictures: Sequence[Pixels], how: CallDegradation) -> list[Pixels]:
    """All members of a pair, degraded alike. The same arguments give the same pictures.

    Args:
        pictures: RGB uint8 (h, w, 3), all of one size; left as they are.
        how: what happens to them.

    Returns:
        As many of the same size, in their order.

    Raises:
        PictureError: one is no picture, or they are not of one size.
    """
    for picture in pictures:
        check_picture(picture)
        if picture.shape != pictures[0].shape:
            raise PictureError(f"pictures: not of one size: {pictures[0].shape} and {picture.shape}")
    degraded = list(pictures)
    if degraded and how.recapture is not None:
        degraded = how.recapture.film(degraded)
    if degraded and how.transmission is not None:
        degraded = how.transmission.send(degraded)
    return degraded


def _draw_transmission(rng: np.random.Generator, bits_per_px: tuple[float, float]) -> Transmission:
    across, down = rng.normal(0, 0.004, 2).tolist()
    return Transmission(
        codec="h264" if rng.random() < 0.5 else "vp8",
        bits_per_px=float(np.exp(rng.uniform(*np.log(bits_per_px)))),
        motion=(across, down),
        expression=rng.uniform(0.0005, 0.003),
        seed=int(rng.integers(2**31)),
    )
