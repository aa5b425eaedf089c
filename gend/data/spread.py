"""Which frames of a video are looked at, and in what order.

Three ways, named as in GenD's preparation of data (arXiv 2508.06248): so many spread evenly, every so many-th, or one
after the other, each as far as can be from all before it, until there are faces enough.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gend.errors import ConfigError
from gend.video import DEFAULT_FRAMES, Sampling

Mode = Literal["fixed_num_frames", "fixed_stride", "at_least"]


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """How frames are chosen.

    Raises:
        ConfigError: a number is less than 1.
    """

    mode: Mode = "fixed_num_frames"
    frames: int = DEFAULT_FRAMES
    """How many frames, or for `at_least` how many faces; no matter to `fixed_stride`."""
    stride: int = 1
    """For `fixed_stride` alone."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1:
            raise ConfigError(f"frames and stride must be at least 1, not {min(self.frames, self.stride)}")

    @property
    def enough(self) -> int | None:
        """After so many faces no further frame is looked at."""
        return self.frames if self.mode == "at_least" else None

    def order(self, count: int) -> list[int]:
        """Numbers of frames, from 0, in the order in which they are visited, of a video that has `count`."""
        if self.mode == "at_least":
            return list(spread_order(count))
        sampling = Sampling(stride=self.stride) if self.mode == "fixed_stride" else Sampling(frames=self.frames)
        return [int(number) for number in sampling.numbers(count)]


def spread_order(count: int, first: int | None = None) -> Iterator[int]:
    """All numbers below `count`, each as far as can be from all that came before it; of equals, the lowest.

    Args:
        count: how many there are.
        first: the one to begin with; by default the middle.
    """
    if count < 1:
        return
    first = count // 2 if first is None else first
    yield first
    # The number farthest from all that were taken lies in the middle of a gap between two of them, or at an end.
    heap = [(-first, 0, 0, first)] if first else []
    if first < count - 1:
        heap.append((first - count + 1, count - 1, first, count - 1))
    heapq.heapify(heap)
    while heap:
        _, number, low, high = heapq.heappop(heap)
        yield number
        for start, stop in ((low, number), (number, high)):
            if stop - start >= 2:
                middle = (start + stop) // 2
                heapq.heappush(heap, (start - middle, middle, start, stop))
