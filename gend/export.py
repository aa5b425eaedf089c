"""Writes a network in the languages of other runtimes: OpenVINO IR and ONNX.

What is written takes RGB crops as they come, uint8 0 to 255, and answers with the log-odds of fake: normalisation,
unit sphere and head are part of it. In OpenVINO's fp32 and bf16 the LayerNorms' scales and shifts and the head are
inputs, so that one compiled network serves every fine-tune of its encoder; int8 and ONNX have them inside.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gend.adapter import cut_adapter
from gend.checkpoint import Checkpoint
from gend.engines import Precision
from gend.engines.exported import OWN, Calibration, Exported, Kind, Manifest, write_manifest
from gend.errors import GendError
from gend.network import GenD, Tuning

if TYPE_CHECKING:
    import openvino as ov

Crops = NDArray[np.uint8]

OPSET = 18
"""Of ONNX."""
_EXAMPLES = 2
"""Crops in the batch that is followed through the network; with 1 its axis would be taken for a constant."""


class Mixing(nn.Module):
    """Log-odds of crops, each judged by a fine-tune of its own."""

    def __init__(self, model: GenD) -> None:
        super().__init__()
        self.model = model

    def forward(self, crops: Tensor, norms: Tensor, direction: Tensor, offset: Tensor) -> Tensor:
        """Crops uint8 (B, S, S, 3), `head_line` of their fine-tunes and their norms (B, N, 2, C) → (B,)."""
        features = self.model.place(self.model.features(self.model.normalise(crops), norms))
        # One class less the other before the sum: OpenVINO 2026 adds a bias per class to a sum wrongly (its #23616).
        return (features * direction).sum(-1) + offset


class Fixed(nn.Module):
    """Log-odds of crops, all judged by the network's own fine-tune."""

    def __init__(self, model: GenD) -> None:
        super().__init__()
        self.model = model
        direction, offset = head_line(model.tuning())
        self.direction, self.offset = nn.Parameter(direction[0]), nn.Parameter(offset)

    def forward(self, crops: Tensor) -> Tensor:
        """Crops uint8 (B, S, S, 3) → (B,)."""
        features = self.model.place(self.model.features(self.model.normalise(crops)))
        return (features * self.direction).sum(-1) + self.offset


def head_line(tuning: Tuning) -> tuple[Tensor, Tensor]:
    """The head as one line: direction (B, C) and offset (B,) of fake less those of real."""
    weight, bias = tuning.head_weight, tuning.head_bias
    return weight[:, 1] - weight[:, 0], bias[:, 1] - bias[:, 0]


def export(
    checkpoint: Checkpoint,
    folder: Path,
    kind: Kind,
    precision: Precision,
    *,
    weights: str,
    calibration: Sequence[Crops] = (),
) -> Exported:
    """Writes a network as a folder that engines, and other programs, read.

    Args:
        checkpoint: the network in fp32, which is changed in this: it is of no use any more.
        folder: made where it is missing.
        kind: whose language.
        precision: for `openvino` any. OpenVINO computes in bf16 whatever file it is given; a file for bf16 stores
            weights in fp16, half the bytes. ONNX is written in fp32.
        weights: the network's name, for people.
        calibration: for int8, crops as the encoder will see them, uint8 (S, S, 3): on them its scales are measured.

    Raises:
        GendError: Where a library is missing, a precision is not to be had, or int8 has no crops.
        WeightsError: Where the folder holds something already, or cannot be written.
    """
    model, backbone, weights_sha256 = checkpoint
    if kind == "onnx" and precision != "fp32":
        raise GendError(f"precision {precision}: ONNX is written in fp32")
    if precision == "int8" and not calibration:
        raise GendError("precision int8: needs pictures of faces to measure its scales on")
    _make_empty(folder)
    # Cut while nothing has touched the network yet.
    own = cut_adapter(model, {"weights_sha256": weights_sha256})
    _settle_positions(model)
    with _quiet(), torch.no_grad():
        if kind == "onnx":
            _write_onnx(model, folder / "model.onnx")
        else:
            _write_openvino(model, folder / "model.xml", precision, calibration)
    own.save(folder / OWN)
    manifest = Manifest(
        kind=kind,
        precision=precision,
        weights=weights,
        weights_sha256=weights_sha256,
        backbone=backbone.name,
        input_px=backbone.input_px,
        interpolation=backbone.interpolation,
        mixes=kind == "openvino" and precision != "int8",
        notices=() if backbone.notice is None else (backbone.notice,),
        calibration=_calibration(calibration) if precision == "int8" else None,
        made_with=_versions(kind, precision),
    )
    return write_manifest(folder, manifest)


def openvino_model(model: GenD, *, mixes: bool) -> ov.Model:
    """The network as OpenVINO's graph, in fp32, for batches of any size.

    Inputs: `crops` uint8 (B, S, S, 3) and, where it mixes, `norms` (B, N, 2, C), `direction` (B, C), `offset` (B,),
    float32, each of which may have B = 1 where all crops share a fine-tune. Output: `log_odds` float32 (B,).
    """
    import openvino as ov  # noqa: PLC0415  (here alone)

    inputs: dict[str, Tensor] = {"crops": _examples(model)}
    if mixes:
        own = model.tuning()
        names = ("norms", "direction", "offset")
        inputs |= dict(zip(names, (_repeated(each) for each in (own.norms, *head_line(own))), strict=True))
    network = (Mixing(model) if mixes else Fixed(model)).eval()
    graph = ov.convert_model(network, example_input=tuple(inputs.values()))
    graph.reshape(
        {
            port: ov.PartialShape([-1, *example.shape[1:]])
            for port, example in zip(graph.inputs, inputs.values(), strict=True)
        }
    )
    for port, name in zip(graph.inputs, inputs, strict=True):
        port.get_tensor().set_names({name})
    graph.outputs[0].get_tensor().set_names({"log_odds"})
    return graph


def quantised(graph: ov.Model, calibration: Sequence[Crops]) -> ov.Model:
    """The graph with its matrix products in int8, by post-training quantisation (nncf).

    Args:
        graph: that does not mix.
        calibration: crops, uint8 (S, S, 3), all of which are run.

    Raises:
        GendError: Where nncf is missing.
    """
    if find_spec("nncf") is None:
        raise GendError("precision int8: needs nncf: pip install 'gend-monitor[export]'")
    nncf: Any = import_module("nncf")  # heavy, and an extra

    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own way to say so changes the handlers of others
    with contextlib.redirect_stdout(io.StringIO()):  # it draws its progress there
        return nncf.quantize(
            graph,
            nncf.Dataset([crop[None] for crop in calibration]),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
        )


def _write_openvino(model: GenD, path: Path, precision: Precision, calibration: Sequence[Crops]) -> None:
    if find_spec("openvino") is None:
        raise GendError("openvino is missing: pip install openvino")
    import openvino as ov  # noqa: PLC0415  (here alone)

    graph = openvino_model(model, mixes=precision != "int8")
    if precision == "int8":
        graph = quantised(graph, calibration)
    # Read as fp16, which rounds less than bf16, weights are never in memory in fp32.
    ov.save_model(graph, path, compress_to_fp16=precision == "bf16")


def _write_onnx(model: GenD, path: Path) -> None:
    if find_spec("onnxscript") is None:
        raise GendError("ONNX: needs onnx and onnxscript: pip install 'gend-monitor[export]'")
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.onnx.export(
        Fixed(model).eval(),
        (_examples(model),),
        path,
        input_names=["crops"],
        output_names=["log_odds"],
        dynamic_shapes=({0: batch},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,  # 1.2 GB; one file holds 2
        verbose=False,
    )


def _settle_positions(model: GenD) -> None:
    """Resamples learned positions here and once: not every runtime does it as torch, or at all."""
    encoder = model.encoder
    if encoder.positions is not None and encoder.config.positions_px is not None:
        with torch.no_grad():
            encoder.positions = nn.Parameter(encoder._positions(encoder.positions))  # noqa: SLF001  (of our own ViT)
        encoder.config = replace(encoder.config, positions_px=None)


def _examples(model: GenD) -> Tensor:
    side = model.backbone.input_px
    return torch.zeros((_EXAMPLES, side, side, 3), dtype=torch.uint8)


def _repeated(one: Tensor) -> Tensor:
    return one.repeat_interleave(_EXAMPLES, dim=0)


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise GendError(f"{folder}: not empty")
    except OSError as error:
        raise GendError(f"{folder}: cannot be written ({error.strerror})") from error


def _calibration(crops: Sequence[Crops]) -> Calibration:
    digest = hashlib.sha256()
    for crop in crops:
        digest.update(np.ascontiguousarray(crop).data)
    return Calibration(len(crops), digest.hexdigest())


def _versions(kind: Kind, precision: Precision) -> dict[str, str]:
    libraries = ["gend-monitor", "torch", *(("onnx", "onnxscript") if kind == "onnx" else ("openvino",))]
    return {name: version(name) for name in [*libraries, *(["nncf"] if precision == "int8" else [])]}


@contextmanager
def _quiet() -> Iterator[None]:
    """Converters warn of what every conversion does, and of libraries that nothing here needs."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(before)
