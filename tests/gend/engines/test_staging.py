from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gend.engines.staging import CudaTransfer, staged


class _SlowTransfer:
    """A transfer whose device is as slow as it may be: it copies, and computes, only when somebody must wait for it."""

    def __init__(self, size: int) -> None:
        self.host = torch.zeros((size, 2, 2, 3), dtype=torch.uint8)
        self._there = torch.zeros_like(self.host)
        self._count = 0
        self.work: list[Tensor] = []
        self.done: list[Tensor] = []

    def send(self, count: int) -> Tensor:
        self._count = count
        return self._there[:count]

    def await_sent(self) -> None:
        self._there[: self._count] = self.host[: self._count]
        self._count = 0
        # What was given to the device before it is sent to again is done with what is there now.
        self.done += [each.clone() for each in self.work]
        self.work.clear()

    def used(self) -> None:
        assert self.work, "nothing was given to the device"


@given(crops=st.integers(1, 40), size=st.integers(1, 9), places=st.integers(1, 3))
def test_each_crop_is_there_when_it_is_computed_on(crops: int, size: int, places: int) -> None:
    pixels = np.arange(crops, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    transfers = [_SlowTransfer(size) for _ in range(places)]
    parts = []
    for number, (part, there) in enumerate(staged(pixels, transfers, size)):
        transfers[number % places].work.append(there)
        parts.append(part)
    for transfer in transfers:
        transfer.await_sent()
    assert [(part.start, part.stop) for part in parts] == [(at, min(at + size, crops)) for at in range(0, crops, size)]
    for at, transfer in enumerate(transfers):
        found = [each.numpy() for each in transfer.done]
        for got, part in zip(found, parts[at::places], strict=True):
            np.testing.assert_array_equal(got, pixels[part])


def test_on_a_gpu_crops_arrive_whole() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU here")
    device = torch.device("cuda")
    transfers = [CudaTransfer(8, 16, device) for _ in range(2)]
    crops = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), np.uint8)
    back = torch.cat([there.clone() for _, there in staged(crops, transfers, 8)])
    np.testing.assert_array_equal(back.cpu().numpy(), crops)
