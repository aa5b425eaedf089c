"""Which engine and precision suit a machine. A pure function: what it knows of the machine is handed to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gend.engines import Device, EngineName, Precision
from gend.engines.cpu import CPU
from gend.engines.reports import Report
from gend.errors import GendError

AnyEngine = Literal["auto", "torch", "openvino"]
AnyPrecision = Literal["auto", "fp32", "bf16", "int8"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for. The defaults leave everything to us."""

    engine: AnyEngine = "auto"
    precision: AnyPrecision = "auto"
    device: Device = "auto"
    mixes: bool = False
    """Whether crops will be judged by different fine-tunes."""
    max_logit_drift: float = 0.1
    """How far int8 may move a logit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is."""

    cpu: CPU
    gpu: bool
    """A CUDA GPU that torch can use."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is taken."""

    engine: EngineName
    precision: Precision
    device: Literal["cpu", "cuda"] = "cpu"
    int8: Report | None = None
    """On the int8 network to take, where that is the precision."""


def choose(wish: Wish, machine: Machine, weights: str, *, small: bool, reports: Sequence[Report]) -> Choice:
    """The fastest engine and precision whose answers are known to be good enough.

    Args:
        wish: what is asked for.
        machine: what there is.
        weights: their name, for errors.
        small: whether the network is so small that there is nothing to win; it then stays what it is, so that its
            answers are the same everywhere.
        reports: on int8 networks of these weights.

    Raises:
        GendError: Where what is asked for excludes itself, or is not to be had.
    """
    if wish.device == "cuda" and wish.engine == "openvino":
        raise GendError("engine openvino: runs on the CPU; device cuda needs engine torch")
    if wish.device == "cuda" and not machine.gpu:
        raise GendError("device cuda: torch finds no CUDA GPU")
    if wish.precision == "int8":
        return _int8(wish, machine, weights, reports)
    on_gpu = wish.device != "cpu" and machine.gpu and wish.engine != "openvino"
    # On other CPUs than x86 OpenVINO is not known to be faster.
    by_itself: EngineName = "torch" if on_gpu or small or not machine.cpu.x86 else "openvino"
    engine = by_itself if wish.engine == "auto" else wish.engine
    if wish.precision == "auto" and engine == "openvino" and not wish.mixes:
        allowed = [report for report in reports if report.allows(wish.max_logit_drift, machine.cpu)]
        if allowed and not small:
            return Choice(engine, "int8", int8=allowed[0])
    fastest: Precision = "bf16" if (on_gpu or machine.cpu.bf16) and not small else "fp32"
    precision = fastest if wish.precision == "auto" else wish.precision
    return Choice(engine, precision, "cuda" if on_gpu else "cpu")


def _int8(wish: Wish, machine: Machine, weights: str, reports: Sequence[Report]) -> Choice:
    if wish.mixes:
        raise GendError("precision int8: its scales hold for one fine-tune; adapters need bf16 or fp32")
    if wish.engine == "torch" or wish.device == "cuda":
        raise GendError("precision int8: runs on engine openvino, on the CPU")
    allowed = [report for report in reports if report.allows(wish.max_logit_drift, machine.cpu)]
    if allowed:
        return Choice("openvino", "int8", int8=allowed[0])
    if reports:
        least = reports[0]
        raise GendError(
            f"precision int8: {least.folder} was compared on {least.crops} crops with {least.arithmetic} and moves "
            f"logits of {weights} by up to {least.max_drift:.3g}: not enough to be trusted here within "
            f"max_logit_drift {wish.max_logit_drift:g}"
        )
    raise GendError(
        f"precision int8: nothing of {weights} has been compared; make it with `gend export {weights} --to openvino "
        f"--precision int8 --pictures FACES --out DIR`, then `gend compare {weights} DIR FACES`"
    )
