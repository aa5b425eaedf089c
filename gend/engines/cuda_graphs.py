"""One recording of the network's work on a GPU for each size of batch, so that launching it costs one call.

A ViT-L is some 400 kernels, and in small batches each is over sooner than Python launches the next. A recording has
its inputs and its output at fixed places; batches are brought to powers of two, the last places of which hold what was
there before and are not looked at.

Not tried on a GPU yet: here, only the choice of sizes is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

from gend.network import Tuning

LARGEST = 64
"""Crops of the largest recording, and of one copy to the GPU: it is busy for longer than the next copy takes. Larger
batches come in parts."""
_WARM_RUNS = 3
"""Before recording: libraries choose their kernels in the first runs."""

Network = Callable[[Tensor, Tuning | None], Tensor]


def bucket(batch: int) -> int:
    """The size of the recording that takes so many crops: the next power of two.

    Raises:
        ValueError: Where there is none.
    """
    if not 1 <= batch <= LARGEST:
        raise ValueError(f"no recording takes {batch} crops; there are those of 1 to {LARGEST}")
    return 1 << (batch - 1).bit_length()


class CudaGraphs:
    """Recordings of one network, each made when it is first needed. May be called from any thread.

    Args:
        network: crops and fine-tunes in, log-odds out; gradients are not wanted.
        device: a CUDA GPU.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._recordings: dict[tuple[int, bool], _Recording] = {}
        self._lock = Lock()  # each recording has one place for its input

    def run(self, crops: Tensor, tuning: Tuning | None) -> Tensor:
        """Crops uint8 (B, S, S, 3) and the fine-tune of each → log-odds, float32 (B,). B is at most `LARGEST`.

        All of it is on the device, which has been given the work when this returns, and has not done it.
        """
        key = bucket(len(crops)), tuning is not None
        inputs = (crops,) if tuning is None else (crops, *tuning)
        with self._lock, torch.inference_mode():
            if key not in self._recordings:
                self._recordings[key] = _Recording(self._network, inputs, key[0], self._device)
            return self._recordings[key].play(inputs)


class _Recording:
    def __init__(self, network: Network, like: tuple[Tensor, ...], size: int, device: torch.device) -> None:
        self._inputs = tuple(torch.zeros((size, *each.shape[1:]), dtype=each.dtype, device=device) for each in like)

        def work() -> Tensor:
            crops, *tuned = self._inputs
            return network(crops, Tuning(*tuned) if tuned else None)

        aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_RUNS):
                work()
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = work()

    def play(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for place, given in zip(self._inputs, inputs, strict=True):
            place[: len(given)].copy_(given)
        self._graph.replay()
        # A copy, made on the device behind the work: the next batch goes through the same place.
        return self._output[: len(inputs[0])].to(torch.float32, copy=True)
