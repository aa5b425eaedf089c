"""Crops on their way to a GPU: copied while it still computes on those before.

Only memory that is pinned can be copied beside the computing, so crops go through pinned places of ours, two of them:
one is filled while the other is read. Who may do what when is decided here; the copying itself is a `Transfer`'s, so
that the order can be tested where there is no GPU.

Not tried on a GPU yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Transfer(Protocol):
    """One place on the host, the one on the device that belongs to it, and the copying from here to there."""

    @property
    def host(self) -> Tensor:
        """Uint8 (B, S, S, 3), in pinned memory where there is a GPU."""

    def send(self, count: int) -> Tensor:
        """Begins to copy the first crops to the device, once all that was given to do with those before is done.

        Returns:
            Them there; what is given to the device to do from now on finds them complete.
        """

    def await_sent(self) -> None:
        """Returns once the host's place may be written again."""

    def used(self) -> None:
        """All that is to be done with what is on the device has been given to it."""


def staged(crops: NDArray[np.uint8], transfers: Sequence[Transfer], size: int) -> Iterator[tuple[slice, Tensor]]:
    """Crops uint8 (B, S, S, 3) on the device, at most `size` at a time.

    What is to be done with a part is to be given to the device before the next one is asked for; it need not be done.

    Args:
        crops: what to bring there.
        transfers: take turns; no part is larger than their places.
        size: of a part.

    Yields:
        Which crops these are, and they, for as long as it takes to come to the same transfer again.
    """
    for number, start in enumerate(range(0, len(crops), size)):
        transfer = transfers[number % len(transfers)]
        part = slice(start, min(start + size, len(crops)))
        count = part.stop - part.start
        transfer.await_sent()
        transfer.host[:count].numpy()[:] = crops[part]
        yield part, transfer.send(count)
        transfer.used()


class CudaTransfer:
    """Copies on a stream of its own, beside the computing.

    Args:
        size: most crops.
        input_px: S.
        device: a CUDA GPU.
    """

    def __init__(self, size: int, input_px: int, device: torch.device) -> None:
        shape = size, input_px, input_px, 3
        self.host = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        self._there = torch.empty(shape, dtype=torch.uint8, device=device)
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._sent = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._used = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def send(self, count: int) -> Tensor:
        """See `Transfer`."""
        there = self._there[:count]
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(self._used)  # one that was never recorded is not waited for
            there.copy_(self.host[:count], non_blocking=True)
            self._sent.record(self._stream)
        torch.cuda.current_stream(self._device).wait_event(self._sent)
        return there

    def await_sent(self) -> None:
        """See `Transfer`."""
        self._sent.synchronize()

    def used(self) -> None:
        """See `Transfer`."""
        self._used.record(torch.cuda.current_stream(self._device))
