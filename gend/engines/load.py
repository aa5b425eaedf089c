"""From the name of weights to an engine that runs them."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from gend.adapter import Adapter, cut_adapter
from gend.engines import Engine
from gend.engines.cache import converted
from gend.engines.choose import Choice, Machine, Wish, choose
from gend.engines.cpu import CPU
from gend.engines.exported import Exported, is_exported, read_exported
from gend.engines.reports import FEWEST_CROPS, Report, find_reports
from gend.errors import GendError, WeightsError
from gend.locate import locate
from gend.resample import Interpolation
from gend.tensor_files import sha256

_log = logging.getLogger(__name__)

_SMALL_BYTES = 64 << 20
"""Weights of less, as the demo encoder's, are of a network with which there is no time to win."""
_GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""Without one of them Linux has no GPU, and torch need not be asked: importing it takes seconds and 200 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An engine, and what there is to know of the network it runs."""

    engine: Engine
    weights: str
    """As they were asked for; those of a converted network, as they were asked for when it was."""
    sha256: str
    """Of the weights' files."""
    input_px: int
    interpolation: Interpolation
    notices: tuple[str, ...]
    own: Adapter | None
    """The checkpoint's own fine-tune; None where there will be no others."""


def load_engine(weights: str, wish: Wish | None = None, *, threads: int | None = None) -> Loaded:
    """Finds weights, and the engine that suits them and this machine, and brings them together.

    Args:
        weights: as `load_checkpoint` takes them, or a folder that `gend export` wrote for OpenVINO.
        wish: what is asked for of the engine.
        threads: CPU threads for one batch; None takes all cores.

    Raises:
        WeightsError: Where the weights cannot be found, read or converted.
        GendError: Where what is asked for is not to be had.
    """
    wish = wish or Wish()
    if is_exported(weights):
        return _load_exported(weights, wish, threads)
    files = locate(weights).files
    digest = sha256(files)
    small = sum(path.stat().st_size for path in files) < _SMALL_BYTES
    machine = Machine(CPU.here(), gpu=wish.device != "cpu" and wish.engine != "openvino" and gpu_here())
    reports = find_reports(digest)
    while True:
        choice = choose(wish, machine, weights, small=small, reports=reports)
        if choice.engine == "torch":
            return _load_torch(weights, choice, threads, mixes=wish.mixes)
        if choice.int8 is None:
            return _run(converted(weights, digest, choice.precision), weights, threads, wish)
        try:
            return _run(_reported(choice.int8), weights, threads, wish)
        except WeightsError as error:
            _log.warning("%s; this int8 network does not count", error)
            reports.remove(choice.int8)


def gpu_here() -> bool:
    """Whether torch finds a CUDA GPU. Torch is imported only where there may be one."""
    if sys.platform == "linux" and not any(Path(node).exists() for node in _GPU_NODES):
        return False
    if find_spec("torch") is None:
        return False
    import torch  # noqa: PLC0415  (as above)

    return torch.cuda.is_available()


def _load_torch(weights: str, choice: Choice, threads: int | None, *, mixes: bool) -> Loaded:
    if find_spec("torch") is None:
        raise GendError("the encoder needs torch: pip install 'gend-monitor[torch]'")
    from gend.checkpoint import load_checkpoint  # noqa: PLC0415  (torch is an extra, imported where used)
    from gend.engines.torch import TorchEngine  # noqa: PLC0415

    model, backbone, digest = load_checkpoint(weights)
    own = cut_adapter(model) if mixes else None
    engine = TorchEngine(model, device=choice.device, threads=threads, precision=choice.precision)
    notices = () if backbone.notice is None else (backbone.notice,)
    return Loaded(engine, weights, digest, backbone.input_px, backbone.interpolation, notices, own)


def _load_exported(folder: str, wish: Wish, threads: int | None) -> Loaded:
    """A folder is what it is; what is asked for must be that."""
    exported = read_exported(folder)
    manifest = exported.manifest
    if wish.engine == "torch" or wish.device == "cuda":
        raise GendError(
            f"{folder}: a network converted for {manifest.kind}; torch and cuda need the weights themselves"
        )
    if wish.precision not in ("auto", manifest.precision):
        raise GendError(f"{folder}: a network converted to {manifest.precision}, not {wish.precision}")
    loaded = _run(exported, folder, threads, wish)
    if manifest.precision != "int8" or _compared(exported, wish):
        return loaded
    notice = f"int8 network {folder}: no `gend compare` of {FEWEST_CROPS} crops or more shows its logits within "
    notice += f"{wish.max_logit_drift:g} of fp32's on this CPU"
    return replace(loaded, notices=(*loaded.notices, notice))


def _compared(exported: Exported, wish: Wish) -> bool:
    return any(
        report.model_sha256 == exported.sha256 and report.allows(wish.max_logit_drift, CPU.here())
        for report in find_reports(exported.manifest.weights_sha256)
    )


def _reported(report: Report) -> Exported:
    exported = read_exported(report.folder)
    if exported.sha256 != report.model_sha256 or exported.manifest.weights_sha256 != report.weights_sha256:
        raise WeightsError(f"{report.folder}: not the network that was compared; `gend compare` it anew")
    return exported


def _run(exported: Exported, weights: str, threads: int | None, wish: Wish) -> Loaded:
    from gend.engines.openvino import OpenVINOEngine  # noqa: PLC0415  (heavy, imported where used)

    manifest = exported.manifest
    if wish.mixes and not manifest.mixes:
        raise GendError(f"{weights}: a network in {manifest.precision} cannot mix adapters; they need bf16 or fp32")
    engine = OpenVINOEngine(exported, threads=threads)
    own = exported.own() if wish.mixes else None
    digest = manifest.weights_sha256
    return Loaded(engine, weights, digest, manifest.input_px, manifest.interpolation, manifest.notices, own)
