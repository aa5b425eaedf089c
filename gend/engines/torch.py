"""The reference engine: the network itself, on the CPU or a CUDA GPU.

In fp32 it is what every other engine is compared with.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from gend.engines import Bank, Device, EngineName, Floats, Mix, Precision, check_answer, check_input
from gend.engines.cuda_graphs import LARGEST, CudaGraphs
from gend.engines.staging import CudaTransfer, staged
from gend.errors import GendError
from gend.network import GenD, Tuning

NAME: EngineName = "torch"
_DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


class TorchEngine:
    """Runs a `GenD` as it is.

    Args:
        model: Network with its weights in fp32; moved to the device, put into evaluation mode and, for `bf16`, its
            encoder rounded: it is the engine's from here on.
        device: `auto` takes a GPU where there is one.
        threads: CPU threads for one batch; None leaves torch's choice, all cores. Torch knows one such number for
            the whole process.
        precision: of the encoder. In bf16 LayerNorms too are rounded; unit sphere and head stay fp32.

    Raises:
        GendError: Where `cuda` is asked for and there is none, or `int8`, which torch does not do.
    """

    mixes = True

    def __init__(
        self, model: GenD, *, device: Device = "auto", threads: int | None = None, precision: Precision = "fp32"
    ) -> None:
        if precision not in _DTYPES:
            raise GendError(f"precision {precision}: the torch engine has {' and '.join(_DTYPES)}")
        kind = torch_device(device)
        if kind == "cuda":
            # Else convolutions round to TF32, and a GPU's logits differ from a CPU's.
            torch.backends.cudnn.allow_tf32 = False
        if threads is not None:
            torch.set_num_threads(threads)
        self.name = f"{NAME}-{kind}"
        self.precision: Precision = precision
        self._device = torch.device(kind)
        self._input_px = model.backbone.input_px
        own = model.tuning()
        self._norms = own.norms.shape[1], own.norms.shape[3]
        self._bank: tuple[Bank | None, Tuning] = None, own
        self._model = model.eval().requires_grad_(requires_grad=False).to(self._device)
        self._model.encoder.to(_DTYPES[precision])
        self._gpu = _Gpu(self._model, self._device, self._input_px) if kind == "cuda" else None

    def logits(self, crops: NDArray[np.uint8], mix: Mix | None = None) -> Floats:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,); `mix` as every engine takes it."""
        check_input(crops, mix, self._input_px, self._norms)
        with torch.inference_mode():
            tuning = None if mix is None else self._tuning(mix)
            if self._gpu is None:
                log_odds = self._model.log_odds(torch.tensor(np.ascontiguousarray(crops)), tuning).numpy()
            else:
                log_odds = self._gpu.log_odds(crops, tuning)
        return check_answer(log_odds, self.name)

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


def torch_device(device: Device) -> Device:
    """The device that is taken, `cpu` or `cuda`.

    Raises:
        GendError: Where `cuda` is asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise GendError("device cuda: torch finds no CUDA GPU")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


class _Gpu:
    """Runs a network on a GPU: recordings of its work, fed through pinned memory. One batch at a time."""

    def __init__(self, model: GenD, device: torch.device, input_px: int) -> None:
        self._graphs = CudaGraphs(model.log_odds, device)
        self._transfers = [CudaTransfer(LARGEST, input_px, device) for _ in range(2)]
        self._lock = Lock()

    def log_odds(self, crops: NDArray[np.uint8], tuning: Tuning | None) -> Floats:
        """Crops uint8 (B, S, S, 3) and the fine-tune of each → log-odds, float32 (B,)."""
        with self._lock:
            parts = [
                self._graphs.run(there, None if tuning is None else Tuning(*(each[part] for each in tuning)))
                for part, there in staged(crops, self._transfers, LARGEST)
            ]
            log_odds: Floats = torch.cat(parts).cpu().numpy()
        return log_odds
