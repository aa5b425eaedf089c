"""How face detectors run: OpenVINO on the CPU, a fixed number of threads, nothing pinned."""

from __future__ import annotations

from pathlib import Path

import openvino as ov

from gend.errors import WeightsError
from gend.openvino_core import openvino_core


def read_network(path: Path) -> ov.Model:
    """Reads an ONNX or TensorFlow Lite file.

    Raises:
        WeightsError: it is missing or not such a file.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    try:
        return openvino_core().read_model(path)
    except RuntimeError as error:  # OpenVINO has no classes of its own for this
        raise WeightsError(f"{path}: not a network that OpenVINO reads") from error


def compile_network(network: ov.Model, threads: int) -> ov.InferRequest:
    """Makes a network ready to run, one run at a time, on at most `threads` CPU threads."""
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        # Many streams have a detector each; pinned, all of them would queue on the same core.
        "ENABLE_CPU_PINNING": False,
        # The same faces on every machine, with bfloat16 units or without.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    return openvino_core().compile_model(network, "CPU", settings).create_infer_request()
