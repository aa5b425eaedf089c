"""What runs an encoder. One module per engine, imported where it is chosen; this file is what they have in common.

`choose.py` says which one suits a machine, `load.py` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gend.errors import GendError, PictureError

Floats = NDArray[np.float32]
EngineName = Literal["torch", "openvino"]
Precision = Literal["fp32", "bf16", "int8"]
"""Arithmetic of the encoder's matrix products. What is before and behind the encoder is always fp32."""
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Fine-tunes of one encoder, ready to be mixed. Immutable: engines may keep a copy of it on their device.

    Axes: A fine-tunes, N LayerNorms, C width.
    """

    norms: Floats
    """Scale and shift of each LayerNorm, (A, N, 2, C)."""
    head_weight: Floats
    """(A, 2, C)."""
    head_bias: Floats
    """(A, 2)."""


class Mix(NamedTuple):
    """Which fine-tune judges each crop of a batch."""

    bank: Bank
    rows: NDArray[np.intp]
    """Of the bank, (B,)."""


class Engine(Protocol):
    """Runs one network on crops. May be called from any thread."""

    @property
    def name(self) -> str:
        """Library and device, as alerts state them: `torch-cpu`."""

    @property
    def precision(self) -> str:
        """Arithmetic of the encoder: `fp32`."""

    @property
    def mixes(self) -> bool:
        """Whether it can take a `mix`."""

    def logits(self, crops: NDArray[np.uint8], mix: Mix | None = None) -> Floats:
        """RGB uint8 (B, S, S, 3) → raw log-odds of fake, float32 (B,).

        Args:
            crops: what to judge.
            mix: the fine-tune of each crop; None where all are judged by the checkpoint's own.

        Raises:
            PictureError: The crops are of another type or shape, or there are none.
            GendError: The mix does not fit, cannot be taken, or the answer is not a number.
        """


def check_input(crops: NDArray[np.uint8], mix: Mix | None, input_px: int, norms: tuple[int, int]) -> None:
    """Refuses what a network would choke on, or answer with nonsense.

    Args:
        crops: as `Engine.logits` takes them.
        mix: likewise.
        input_px: S.
        norms: N and C.

    Raises:
        PictureError: The crops are of another type or shape, or there are none.
        GendError: The mix is of another encoder, has no such row, or is for another number of crops.
    """
    due = (input_px, input_px, 3)
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != due or not len(crops):
        wanted = ", ".join(map(str, due))
        raise PictureError(f"crops must be uint8 (B, {wanted}) with B > 0, not {crops.dtype} {crops.shape}")
    if mix is None:
        return
    N, C = norms
    found = mix.bank.norms.shape[1:], mix.bank.head_weight.shape[1:], mix.bank.head_bias.shape[1:]
    if found != ((N, 2, C), (2, C), (2,)):
        raise GendError(f"fine-tunes with {found[0]} LayerNorms, and the encoder has ({N}, 2, {C})")
    if mix.rows.shape != (len(crops),) or mix.rows.min() < 0 or mix.rows.max() >= len(mix.bank.norms):
        raise GendError(f"{len(mix.rows)} rows of {len(mix.bank.norms)} fine-tunes do not fit {len(crops)} crops")


def check_answer(logits: Floats, engine: str) -> Floats:
    """The same, where every one of them is a number; else raises `GendError`."""
    if not np.isfinite(logits).all():
        raise GendError(f"{engine}: the encoder's answer is not a number: weights or a fine-tune are damaged")
    return logits
