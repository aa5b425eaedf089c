"""The detector as others use it: crops of faces in, log-odds of fake out.

Importing this module costs nothing; torch is imported, and asked for where it is missing, by `Detector.load`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from gend.adapter import Adapter, cut_adapter
from gend.errors import GendError, PictureError, WeightsError
from gend.fine_tunes import FineTunes
from gend.preprocess import encoder_input
from gend.resample import Interpolation

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
        interpolation: How the encoder's pictures were resized in its training.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        input_px: int,
        identity: Identity,
        notices: tuple[str, ...] = (),
        own: Adapter | None = None,
        interpolation: Interpolation = "bicubic",
    ) -> None:
        self.input_px = input_px
        self.identity = identity
        self.notices = notices
        self.interpolation = interpolation
        self._engine = engine
        self._fine_tunes = None if own is None else FineTunes(own)

    @classmethod
    def load(
        cls,
        weights: str,
        *,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        threads: int | None = None,
        adapters: Mapping[str, str | Path] | None = None,
    ) -> Self:
        """Finds weights, reads them and puts them on a device.

        Args:
            weights: `demo`, a hub id, a folder or a file; see `gend.checkpoint.load_checkpoint`.
            device: `auto` takes a GPU where there is one.
            threads: CPU threads for one batch, of the whole process; None takes all cores.
            adapters: files of fine-tunes of this encoder by the names that `logits` is to know them by. None: there
                will never be any, which lets engines be chosen that cannot mix them.

        Raises:
            WeightsError: Where the weights cannot be found or read, or are no GenD detector, or an adapter does not
                fit them.
            GendError: Where torch or the device is missing.
        """
        if find_spec("torch") is None:
            raise GendError("the encoder needs torch: pip install 'gend-monitor[torch]'")
        from gend.checkpoint import load_checkpoint  # noqa: PLC0415  (torch is an extra, imported where used)
        from gend.engines.torch import TorchEngine  # noqa: PLC0415

        model, backbone, sha256 = load_checkpoint(weights)
        own = None if adapters is None else cut_adapter(model)
        engine = TorchEngine(model, device=device, threads=threads)
        identity = Identity(weights, sha256, engine.name, engine.precision)
        notices = () if backbone.notice is None else (backbone.notice,)
        detector = cls(
            engine,
            input_px=backbone.input_px,
            identity=identity,
            notices=notices,
            own=own,
            interpolation=backbone.interpolation,
        )
        detector.set_adapters(adapters or {})
        return detector

    def set_adapters(self, adapters: Mapping[str, str | Path]) -> None:
        """Reads fine-tunes and takes them in the place of those there were; the encoder stays where it is.

        All of them are read and checked first, so that where one is at fault nothing changes. A batch in progress is
        finished with those of before.

        Args:
            adapters: files by name.

        Raises:
            WeightsError: One cannot be read or is of another encoder, or this detector was loaded without adapters.
        """
        if self._fine_tunes is not None:
            self._fine_tunes = self._fine_tunes.having(adapters)
        elif adapters:
            raise WeightsError("adapters: the encoder was loaded without any; load it with adapters to add some")

    @property
    def adapters(self) -> Mapping[str, str]:
        """SHA-256 of the file of each fine-tune by its name."""
        return {} if self._fine_tunes is None else self._fine_tunes.sha256

    def prepare(self, aligned: Pixels) -> Pixels:
        """An aligned face, RGB uint8 (h, w, 3) at native size → RGB uint8 (input_px, input_px, 3) for `logits`.

        Raises:
            PictureError: Where it is no such picture, or is empty.
        """
        return encoder_input(aligned, self.input_px, interpolation=self.interpolation)

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        """How strongly each crop looks fake.

        Args:
            crops: RGB uint8 (B, input_px, input_px, 3), each as `prepare` returns it.
            adapters: by which fine-tune each of them is judged, None being the checkpoint's own; None for all.

        Returns:
            Raw log-odds log p(fake) - log p(real), float32 (B,).

        Raises:
            PictureError: Where the crops are of another type or shape, or there are none.
            WeightsError: Where there is no adapter of that name.
        """
        if crops.dtype != np.uint8:
            raise PictureError(f"crops must be uint8, not {crops.dtype}")
        due = (self.input_px, self.input_px, 3)
        if crops.ndim != 4 or crops.shape[1:] != due or not len(crops):
            raise PictureError(
                f"crops must have the shape (B, {', '.join(map(str, due))}) with B > 0, not {crops.shape}"
            )
        if adapters is not None and len(adapters) != len(crops):
            raise PictureError(f"{len(crops)} crops and {len(adapters)} names of adapters")
        names = [None] * len(crops) if adapters is None else adapters
        if self._fine_tunes is not None:
            return self._engine.logits(crops, self._fine_tunes.mix(names))
        if unknown := [name for name in names if name is not None]:
            raise WeightsError(f"no adapter is called {unknown[0]}: the encoder was loaded without any")
        return self._engine.logits(crops)
