"""The detector as others use it: crops of faces in, log-odds of fake out.

Importing this module costs nothing; torch is imported, and asked for where it is missing, by `Detector.load`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError, PictureError
from gend.preprocess import encoder_input

if TYPE_CHECKING:
    from gend.engines import Engine

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which detector judged, as alerts and results state it."""

    weights: str
    """As they were asked for."""
    sha256: str
    """Of the weights file."""
    engine: str
    precision: str


class Detector:
    """An encoder with its weights, ready to score faces. May be called from any thread.

    Attributes:
        input_px: Side of the square crops that `logits` takes, pixels.
        identity: Which detector this is.
        notices: What must be said wherever its answers are shown.
    """

    def __init__(self, engine: Engine, *, input_px: int, identity: Identity, notices: tuple[str, ...] = ()) -> None:
        self.input_px = input_px
        self.identity = identity
        self.notices = notices
        self._engine = engine

    @classmethod
    def load(cls, weights: str, *, device: Literal["auto", "cpu", "cuda"] = "auto", threads: int | None = None) -> Self:
        """Finds weights, reads them and puts them on a device.

        Args:
            weights: `demo`, a hub id, a folder or a `.safetensors` file.
            device: `auto` takes a GPU where there is one.
            threads: CPU threads for one batch, of the whole process; None takes all cores.

        Raises:
            WeightsError: Where the weights cannot be found or read, or are no GenD detector.
            GendError: Where torch or the device is missing.
        """
        if find_spec("torch") is None:
            raise GendError("the encoder needs torch: pip install 'gend-monitor[torch]'")
        from gend.checkpoint import load_checkpoint  # noqa: PLC0415  (torch is an extra, imported where used)
        from gend.engines.torch import TorchEngine  # noqa: PLC0415

        model, backbone, sha256 = load_checkpoint(weights)
        engine = TorchEngine(model, device=device, threads=threads)
        identity = Identity(weights, sha256, engine.name, engine.precision)
        notices = () if backbone.notice is None else (backbone.notice,)
        return cls(engine, input_px=backbone.input_px, identity=identity, notices=notices)

    def prepare(self, aligned: Pixels) -> Pixels:
        """An aligned face, RGB uint8 (h, w, 3) at native size → RGB uint8 (input_px, input_px, 3) for `logits`.

        Raises:
            PictureError: Where it is no such picture, or is empty.
        """
        return encoder_input(aligned, self.input_px)

    def logits(self, crops: Pixels) -> NDArray[np.float32]:
        """How strongly each crop looks fake.

        Args:
            crops: RGB uint8 (B, input_px, input_px, 3), each as `prepare` returns it.

        Returns:
            Raw log-odds log p(fake) - log p(real), float32 (B,).

        Raises:
            PictureError: Where the crops are of another type or shape, or there are none.
        """
        if crops.dtype != np.uint8:
            raise PictureError(f"crops must be uint8, not {crops.dtype}")
        due = (self.input_px, self.input_px, 3)
        if crops.ndim != 4 or crops.shape[1:] != due or not len(crops):
            raise PictureError(
                f"crops must have the shape (B, {', '.join(map(str, due))}) with B > 0, not {crops.shape}"
            )
        return self._engine.logits(crops)
