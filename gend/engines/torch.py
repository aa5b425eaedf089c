"""The reference engine: the network itself, in fp32, on the CPU or a CUDA GPU."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from gend.engines import Bank, Floats, Mix
from gend.errors import GendError
from gend.network import GenD, Tuning

Device = Literal["auto", "cpu", "cuda"]


class TorchEngine:
    """Runs a `GenD` as it is.

    Args:
        model: Network with its weights; moved to the device and put into evaluation mode.
        device: `auto` takes a GPU where there is one.
        threads: CPU threads for one batch; None leaves torch's choice, all cores. Torch knows one such number for
            the whole process.

    Raises:
        GendError: Where `cuda` is asked for and there is none.
    """

    precision = "fp32"
    mixes = True

    def __init__(self, model: GenD, *, device: Device = "auto", threads: int | None = None) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda":
            if not torch.cuda.is_available():
                raise GendError("device cuda: torch finds no CUDA GPU")
            # Else convolutions round to TF32, and a GPU's logits differ from a CPU's.
            torch.backends.cudnn.allow_tf32 = False
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = f"torch-{device}"
        self._device = torch.device(device)
        self._bank: tuple[Bank | None, Tuning] = None, model.tuning()
        self._model = model.eval().requires_grad_(requires_grad=False).to(self._device)

    def logits(self, crops: NDArray[np.uint8], mix: Mix | None = None) -> Floats:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,); `mix` as every engine takes it."""
        pixels = torch.tensor(np.ascontiguousarray(crops), device=self._device)
        with torch.inference_mode():
            log_odds = self._model.log_odds(pixels, None if mix is None else self._tuning(mix))
        answer: Floats = log_odds.cpu().numpy()
        return answer

    def _tuning(self, mix: Mix) -> Tuning:
        """The rows of the bank, of which the device has a copy for as long as it is the same bank."""
        bank, on_device = self._bank
        if bank is not mix.bank:
            on_device = Tuning(
                *(
                    torch.tensor(part, device=self._device)
                    for part in (mix.bank.norms, mix.bank.head_weight, mix.bank.head_bias)
                )
            )
            self._bank = mix.bank, on_device
        rows = torch.tensor(mix.rows, device=self._device)
        return Tuning(*(part[rows] for part in on_device))
