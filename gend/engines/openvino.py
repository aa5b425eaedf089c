"""The engine for CPUs: a converted network on OpenVINO, which needs no torch."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gend.engines import EngineName, Floats, Mix, Precision, check_answer, check_input
from gend.engines.cpu import CPU
from gend.engines.exported import Exported
from gend.errors import GendError, WeightsError
from gend.openvino_core import openvino_core

if TYPE_CHECKING:
    from gend.adapter import Adapter

NAME: EngineName = "openvino"


class OpenVINOEngine:
    """Runs a folder that `gend.export` wrote, on the CPU.

    Weights are mapped from the file and kept once more as the CPU wants them; OpenVINO does that in the first batch.

    Args:
        exported: what to run.
        threads: CPU threads for one batch; None takes all cores.

    Raises:
        GendError: The folder is of another kind.
        WeightsError: OpenVINO cannot make sense of it.
    """

    def __init__(self, exported: Exported, *, threads: int | None = None) -> None:
        manifest = exported.manifest
        if manifest.kind != "openvino":
            raise GendError(f"{exported.folder}: is for {manifest.kind}; the openvino engine runs OpenVINO IR")
        self.name = f"{NAME}-cpu"
        self.precision: Precision = manifest.precision
        self.mixes = manifest.mixes
        own = exported.own()
        self._input_px = manifest.input_px
        self._norms = own.norms.shape[0], own.norms.shape[2]
        self._own = _tuned_inputs(own)
        try:
            compiled = openvino_core().compile_model(
                exported.model, "CPU", settings(self.precision, threads, CPU.here())
            )
        except RuntimeError as error:  # OpenVINO has no classes of its own for this
            raise WeightsError(f"{exported.model}: OpenVINO cannot run it ({_first_line(error)})") from error
        self._request = compiled.create_infer_request()
        self._lock = Lock()  # a request runs one batch at a time

    def logits(self, crops: NDArray[np.uint8], mix: Mix | None = None) -> Floats:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,); `mix` as every engine takes it."""
        check_input(crops, mix, self._input_px, self._norms)
        if mix is not None and not self.mixes:
            raise GendError(f"{self.name} {self.precision}: cannot mix fine-tunes; load with fp32 or bf16")
        inputs: dict[str, NDArray[np.uint8] | Floats] = {"crops": np.ascontiguousarray(crops)}
        if self.mixes:
            inputs |= self._own if mix is None else _chosen_inputs(mix)
        try:
            with self._lock:
                log_odds = np.array(self._request.infer(inputs)["log_odds"], dtype=np.float32)
        except RuntimeError as error:
            raise GendError(f"{self.name}: {_first_line(error)}") from error
        return check_answer(log_odds, self.name)


def settings(precision: Precision, threads: int | None, cpu: CPU) -> dict[str, object]:
    """How OpenVINO is to run a network of a precision; what int8 leaves over runs in the fastest the CPU has."""
    arithmetic = {"fp32": "f32", "bf16": "bf16", "int8": "bf16" if cpu.bf16 else "f32"}[precision]
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": arithmetic,
        # Face detectors run beside it; pinned, all of them would queue on the same cores.
        "ENABLE_CPU_PINNING": False,
        **({} if threads is None else {"INFERENCE_NUM_THREADS": threads}),
    }


def _tuned_inputs(own: Adapter) -> dict[str, Floats]:
    """What a network that mixes takes beside crops, for one fine-tune that all crops share."""
    return {
        "norms": own.norms[None],
        "direction": (own.head_weight[1] - own.head_weight[0])[None],
        "offset": own.head_bias[1:] - own.head_bias[:1],
    }


def _chosen_inputs(mix: Mix) -> dict[str, Floats]:
    """The same for the fine-tune of each crop."""
    bank, rows = mix
    if (rows == rows[0]).all():
        rows = rows[:1]
    weight, bias = bank.head_weight[rows], bank.head_bias[rows]
    return {"norms": bank.norms[rows], "direction": weight[:, 1] - weight[:, 0], "offset": bias[:, 1] - bias[:, 0]}


def _first_line(error: Exception) -> str:
    """OpenVINO's exceptions carry the places in its source, line by line; the last one says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
