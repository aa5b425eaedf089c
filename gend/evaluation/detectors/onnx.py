"""Networks as ONNX files, by ONNX Runtime where it is installed, else by OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError, WeightsError
from gend.evaluation.config import OnnxDetector
from gend.evaluation.detectors import Floats, Pixels
from gend.evaluation.detectors.answers import identity_of, log_odds, normalised
from gend.preprocess import encoder_input


class OnnxScorer:
    """Runs an ONNX file on the CPU.

    Raises:
        WeightsError: there is no such file, or it is no ONNX network that takes pictures.
    """

    def __init__(self, section: OnnxDetector) -> None:
        self._section = section
        if not section.file.is_file():
            raise WeightsError(f"{section.file}: no such file")
        self._network: _Network = (
            _OnnxRuntime(section.file) if find_spec("onnxruntime") is not None else _OpenVINO(section.file)
        )
        shape = self._network.shape
        if len(shape) != 4:
            raise WeightsError(f"{section.file}: takes {shape}, no batch of pictures")
        self.identity = identity_of(section, self._network.name)

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        """Log-odds of fake of each crop, float32 (n,).

        Raises:
            GendError: it cannot take such pictures, or its answer is not what `output` says.
        """
        said, name = self._section, str(self._section.file)
        if self._network.uint8:
            batch: NDArray[Any] = np.stack(
                [encoder_input(crop, said.input_px, interpolation=said.interpolation) for crop in crops]
            )
        else:
            batch = normalised(crops, said.input_px, said.interpolation, said.mean, said.std)
        values = np.concatenate([self._run(part) for part in self._parts(batch)])[: len(crops)]
        return log_odds(values, said.output, len(crops), fake=said.fake, inverted=said.inverted, name=name)

    def _parts(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        """The batch in the sizes that the network takes, the last one filled up."""
        fixed = self._network.shape[0]
        if fixed is None:
            return [batch]
        missing = -len(batch) % fixed
        whole = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
        return np.split(whole, len(whole) // fixed)

    def _run(self, batch: NDArray[Any]) -> NDArray[np.floating]:
        try:
            return self._network.run(batch)
        except RuntimeError as error:  # both libraries' own classes are, or are derived from, this one
            if "memory" in str(error):
                raise
            reason = (str(error).strip().splitlines() or [""])[-1]
            raise GendError(f"{self._section.file}: cannot take {batch.dtype} {batch.shape}: {reason}") from error


class _Network(Protocol):
    name: str
    uint8: bool
    shape: tuple[int | None, ...]
    """Of its input; None where any size is taken."""

    def run(self, batch: NDArray[Any]) -> NDArray[np.floating]: ...


class _OnnxRuntime:
    name = "onnxruntime-cpu"

    def __init__(self, path: Path) -> None:
        onnxruntime: Any = import_module("onnxruntime")  # may be missing
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes are private to it, and share no other base
            raise WeightsError(f"{path}: ONNX Runtime cannot run it ({error})") from error
        [first, *_] = self._session.get_inputs()
        self._input = first.name
        self.uint8 = first.type == "tensor(uint8)"
        self.shape = tuple(size if isinstance(size, int) else None for size in first.shape)

    def run(self, batch: NDArray[Any]) -> NDArray[np.floating]:
        try:
            return np.asarray(self._session.run(None, {self._input: batch})[0])
        except Exception as error:  # as above
            raise RuntimeError(str(error)) from error


class _OpenVINO:
    name = "openvino-cpu"

    def __init__(self, path: Path) -> None:
        import openvino as ov  # noqa: PLC0415  (heavy, imported where used)

        from gend.openvino_core import openvino_core  # noqa: PLC0415

        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        try:
            self._network = openvino_core().compile_model(path, "CPU", exact)
        except RuntimeError as error:
            reason = [line for line in str(error).splitlines() if line.strip()][-1]
            raise WeightsError(f"{path}: OpenVINO cannot run it ({reason})") from error
        port = self._network.inputs[0]
        self.uint8 = port.element_type == ov.Type.u8
        self.shape = tuple(size.get_length() if size.is_static else None for size in port.partial_shape)

    def run(self, batch: NDArray[Any]) -> NDArray[np.floating]:
        return np.asarray(self._network([batch])[0])
