"""Crops on their way from a stream's process to the service: in memory that both share, not through the connection.

A crop of 224 px has 150 kB. Pickled into a socket and out again it costs five times as much as one copy on each side.
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass, replace

import numpy as np

from monitor.messages import Crop

_SLOTS = 16
"""Crops on their way at once. They are taken out as they arrive: that there are more is the exception."""
_SLOT_BYTES = 2**20
"""Room for 512 px and more; pages that no crop touches cost nothing."""
SHARED_BYTES = (_SLOTS + 1) * _SLOT_BYTES
_NOWHERE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Placed:
    """A crop whose pixels are in a slot."""

    crop: Crop
    """Without them."""
    slot: int
    shape: tuple[int, ...]


class CropSlots:
    """One end of the memory: one side places, from one thread, and the other fetches, from one of its own.

    Args:
        memory: of `SHARED_BYTES`.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        whole = np.frombuffer(memory, np.uint8).reshape(_SLOTS + 1, _SLOT_BYTES)
        self._full, self._slots = whole[0], whole[1:]  # `_full[slot]`: 1 from when a crop is placed until it is fetched
        self._next = 0

    def place(self, crop: Crop) -> Placed | Crop:
        """What is sent instead of a crop; the crop itself where there is no room for it."""
        slot, size = self._next, crop.pixels.size
        if self._full[slot] or size > _SLOT_BYTES:
            return crop
        self._next = (slot + 1) % _SLOTS
        self._slots[slot, :size].reshape(crop.pixels.shape)[:] = crop.pixels
        self._full[slot] = 1
        return Placed(replace(crop, pixels=_NOWHERE), slot, crop.pixels.shape)

    def fetch(self, placed: Placed) -> Crop:
        """The crop, with pixels of its own; its slot is free again."""
        pixels = self._slots[placed.slot, : math.prod(placed.shape)].reshape(placed.shape).copy()
        self._full[placed.slot] = 0
        return replace(placed.crop, pixels=pixels)
