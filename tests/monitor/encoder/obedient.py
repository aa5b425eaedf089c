"""Encoders in a process of their own that do as a file says, and know nothing but how bright a crop is."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gend.errors import WeightsError
from gend.model import Detector, Identity
from gend.resample import Interpolation
from monitor.encoder import EncoderPlan
from monitor.messages import Pixels


@dataclass(frozen=True, slots=True)
class ObedientPlan(EncoderPlan):
    """Loads an `Obedient`; the file says `crash`, `hang` or `refuse` before that, too."""

    orders: Path = field(default=Path())

    def load(self) -> Detector:
        _obey(self.orders)
        encoder = Obedient(self.orders, self.weights)
        encoder.set_adapters(self.adapters or {})
        return cast("Detector", encoder)


class Obedient:
    """Looks at its orders before each batch. Its fine-tunes are files with a number that is added to each logit."""

    input_px = 8
    interpolation: Interpolation = "bicubic"
    notices = ("knows nothing",)

    def __init__(self, orders: Path, weights: str) -> None:
        self.identity = Identity(weights, orders.with_suffix(".weights").read_text(), "torch-cpu", "fp32")
        self.adapters: Mapping[str, str] = {}
        self._orders = orders

    def set_adapters(self, adapters: Mapping[str, str | Path]) -> None:
        try:
            self.adapters = {name: str(float(Path(file).read_text())) for name, file in adapters.items()}
        except (OSError, ValueError) as error:
            raise WeightsError(f"{error}: is no fine-tune") from error

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        _obey(self._orders)
        added = [0.0 if name is None else float(self.adapters[name]) for name in adapters or [None] * len(crops)]
        return np.asarray(crops.mean(axis=(1, 2, 3)) + added, np.float32)


def _obey(orders: Path) -> None:
    match orders.read_text():
        case "crash":
            ctypes.string_at(0)
        case "hang":
            orders.with_suffix(".hangs").touch()
            time.sleep(1000)
        case "refuse":
            raise RuntimeError("the device is lost")
        case "strange":
            raise UnicodeDecodeError("utf-8", b"x", 0, 1, "strange")
