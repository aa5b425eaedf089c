"""What the encoder looks at next, when there is more to look at than it can.

An old crop of a face is worth nothing once there is a newer one, so every track has one slot and the newest crop
has it; the queue is as long as there are faces, never longer. Nothing waits to fill a batch: on a CPU a batch of
eight costs eight times one crop, so what waits is taken and no more.

Fairness. Turns alternate between two lanes. In the open lane streams take turns, and within a stream the track
that waited longest is next. In the urgent lane the highest `Demand` is next, whatever its stream. An urgent turn
that nobody claims goes to the open lane. So demand gets at most half of the encoder while anybody else waits,
and a stream that waits is served within twice as many turns as there are streams waiting.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from monitor.messages import Crop, Demand

_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class BatcherStatistics:
    """A snapshot. `offered` = `taken` + `replaced` + `stale` + `forgotten` + `refused` + `waiting`."""

    waiting: int
    offered: int
    taken: int
    replaced: int
    """Crops that a newer one of their track pushed out."""
    stale: int
    """Crops that grew too old before their turn."""
    forgotten: int
    """Crops whose track ended first."""
    refused: int
    """Crops of further tracks while every slot was taken."""
    oldest_at_s: float | None
    """`at_s` of the oldest crop waiting."""


@dataclass(slots=True)
class _Losses:
    dropped: int = 0
    starved: int = 0


class Batcher:
    """One slot per track, from which batches are taken fairly. Thread-safe.

    Args:
        max_batch: most crops in a batch.
        max_age_s: age at which a crop is no longer worth scoring.
        capacity: most tracks that may wait at once. A crop of 224 px weighs 150 kB.
    """

    def __init__(self, max_batch: int, max_age_s: float, *, capacity: int = _CAPACITY) -> None:
        self._max_batch = max_batch
        self._max_age_s = max_age_s
        self._capacity = capacity
        self._changed = threading.Condition()
        # Streams in the order of their turns, and in each its tracks in the order in which they came to wait.
        self._waiting: OrderedDict[str, OrderedDict[str, Crop]] = OrderedDict()
        self._demands: dict[tuple[str, str], Demand] = {}
        self._losses: dict[tuple[str, str], _Losses] = {}
        self._urgent_turn = True
        self._count = 0
        self._offered = self._taken = self._replaced = self._stale = self._forgotten = self._refused = 0

    def offer(self, crop: Crop) -> None:
        """Puts a crop into its track's slot. A newer one keeps the place in the queue of the one it pushes out."""
        with self._changed:
            self._offered += 1
            tracks = self._waiting.get(crop.stream)
            if tracks is not None and crop.track in tracks:
                self._replaced += 1
                self._lose(crop).dropped += 1
            elif self._count >= self._capacity:
                self._refused += 1
                self._lose(crop).dropped += 1
                return
            else:
                tracks = self._waiting.setdefault(crop.stream, OrderedDict())
                self._count += 1
            tracks[crop.track] = crop
            self._changed.notify()

    def take(self, now_s: float, wait_s: float, *, at_most: int | None = None) -> list[Crop]:
        """The next batch, at most one crop of a track.

        Args:
            now_s: the time on the crops' clock, to tell which are too old.
            wait_s: how long to wait for a first crop if there is none, seconds.
            at_most: less than `max_batch`, where the taker wants to be done sooner.

        Returns:
            In order of turns; empty if nothing came.
        """
        size = self._max_batch if at_most is None else min(self._max_batch, at_most)
        with self._changed:
            self._changed.wait_for(lambda: self._count > 0, wait_s)
            self._drop_old(now_s)
            batch = [self._next() for _ in range(min(size, self._count))]
            self._taken += len(batch)
            return batch

    def demand(self, demand: Demand) -> None:
        """Takes the latest wish for a track, in place of any before."""
        key = (demand.stream, demand.track)
        with self._changed:
            # Whoever asks for more tracks than there are slots asks again, and finds room when others have expired.
            if key in self._demands or len(self._demands) < self._capacity:
                self._demands[key] = demand

    def settle(self, stream: str, track: str) -> tuple[int, int]:
        """Crops of the track that were (dropped, starved) since this was last asked."""
        with self._changed:
            losses = self._losses.pop((stream, track), _Losses())
            return losses.dropped, losses.starved

    def forget(self, stream: str, track: str) -> None:
        """The track has ended: empties its slot and drops what is known of it."""
        with self._changed:
            if self._slot(stream, track) is not None:
                self._pop(stream, track)
                self._forgotten += 1
            self._demands.pop((stream, track), None)
            self._losses.pop((stream, track), None)

    def statistics(self) -> BatcherStatistics:
        """A snapshot."""
        with self._changed:
            times = (crop.at_s for tracks in self._waiting.values() for crop in tracks.values())
            return BatcherStatistics(
                waiting=self._count,
                offered=self._offered,
                taken=self._taken,
                replaced=self._replaced,
                stale=self._stale,
                forgotten=self._forgotten,
                refused=self._refused,
                oldest_at_s=min(times, default=None),
            )

    def _drop_old(self, now_s: float) -> None:
        """Takes out crops that are too old, and demands that have expired."""
        crops = [crop for tracks in self._waiting.values() for crop in tracks.values()]
        for crop in crops:
            if now_s - crop.at_s > self._max_age_s:
                self._pop(crop.stream, crop.track)
                self._stale += 1
                self._lose(crop).starved += 1
        for key in [key for key, demand in self._demands.items() if now_s > demand.expires_s]:
            del self._demands[key]

    def _next(self) -> Crop:
        """Takes the crop whose turn it is out of its slot; there is one."""
        urgent = self._most_urgent() if self._urgent_turn else None
        if urgent is not None:
            self._urgent_turn = False
            return self._pop(urgent.stream, urgent.track)
        self._urgent_turn = True
        stream = next(iter(self._waiting))
        self._waiting.move_to_end(stream)
        return self._pop(stream, next(iter(self._waiting[stream])))

    def _most_urgent(self) -> Crop | None:
        """The waiting crop of highest demand; among equals the oldest."""
        urgent = [
            (-demand.priority, crop.at_s, key)
            for key, demand in self._demands.items()
            if demand.priority > 0 and (crop := self._slot(*key)) is not None
        ]
        return self._slot(*min(urgent)[2]) if urgent else None

    def _slot(self, stream: str, track: str) -> Crop | None:
        tracks = self._waiting.get(stream)
        return tracks.get(track) if tracks is not None else None

    def _pop(self, stream: str, track: str) -> Crop:
        tracks = self._waiting[stream]
        crop = tracks.pop(track)
        self._count -= 1
        if not tracks:
            del self._waiting[stream]
        return crop

    def _lose(self, crop: Crop) -> _Losses:
        return self._losses.setdefault((crop.stream, crop.track), _Losses())
