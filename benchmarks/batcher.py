"""What the batcher costs per crop, beside a plain queue that keeps everything and is fair to nobody.

Run: python benchmarks/batcher.py
"""

from __future__ import annotations

import queue
import statistics
import time
from collections.abc import Callable

import numpy as np

from monitor.messages import Crop, Demand
from monitor.scoring import Batcher

_BATCH = 8
_CROPS = 4096
_ROUNDS = 5
_PIXELS = np.zeros((224, 224, 3), np.uint8)


def main() -> None:
    """Prints one line for each load."""
    print(f"{_CROPS} crops a round, median of {_ROUNDS}; batches of {_BATCH}, every crop offered and taken once")
    print(f"{'streams':>8} {'tracks':>7} {'demand':>7} {'queue us':>9} {'batcher us':>11} {'ratio':>6}")
    for streams, tracks in ((1, 1), (1, 8), (4, 2), (8, 8), (64, 4), (64, 16)):
        for demanded in (0.0, 0.25):
            crops = [
                Crop(f"s{stream}", f"t{track}", 0.0, _PIXELS, quality=1.0, width_px=100)
                for track in range(tracks)
                for stream in range(streams)
            ]
            plain_us = _per_crop_us(lambda crops=crops: _through_queue(crops))  # type: ignore[misc]
            ours_us = _per_crop_us(lambda crops=crops, share=demanded: _through_batcher(crops, share))  # type: ignore[misc]
            costs = f"{plain_us:>9.2f} {ours_us:>11.2f} {ours_us / plain_us:>6.1f}"
            print(f"{streams:>8} {tracks:>7} {demanded:>7.0%} {costs}")


def _per_crop_us(run: Callable[[], int]) -> float:
    def once() -> float:
        begin_s = time.perf_counter()
        crops = run()
        return (time.perf_counter() - begin_s) / crops * 1e6

    return statistics.median(once() for _ in range(_ROUNDS))


def _through_queue(crops: list[Crop]) -> int:
    waiting: queue.Queue[Crop] = queue.Queue()
    count = 0
    while count < _CROPS:
        for crop in crops:
            waiting.put(crop)
        for _ in crops:
            waiting.get()
        count += len(crops)
    return count


def _through_batcher(crops: list[Crop], demanded: float) -> int:
    batcher = Batcher(_BATCH, max_age_s=5)
    count = 0
    while count < _CROPS:
        for crop in crops:
            batcher.offer(crop)
        if count == 0:
            for crop in crops[: round(demanded * len(crops))]:
                batcher.demand(Demand(crop.stream, crop.track, crops_per_s=5, priority=0.5, expires_s=1))
        while batch := batcher.take(0.0, wait_s=0):
            count += len(batch)
    return count


if __name__ == "__main__":
    main()
