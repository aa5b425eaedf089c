"""What the encoder looks at next, when there is more to look at than it can.

An old crop of a face is worth nothing once there is a newer one, so every track has one slot and the newest crop
has it; the queue is as long as there are faces, never longer. Nothing waits to fill a batch: on a CPU a batch of
eight costs eight times one crop, so what waits is taken and no more.

Fairness. Turns alternate between two lanes. In the open lane streams take turns in a ring, and so do the tracks
within each stream. In the urgent lane the highest `Demand` is next, whatever its stream. An urgent turn that
nobody claims goes to the open lane. So demand gets at most half of the encoder while anybody else waits, and a
stream that waits is served within twice as many turns as there are streams.

Spare crops are nobody's: copies that were made to learn from. They are scored one at a time, when nothing else waits,
and count in nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.messages import Crop, Demand

_CAPACITY = 1024
_SPARE = 16
"""Spare crops that may wait."""


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
    """Crops of tracks for which there was no slot."""
    oldest_at_s: float | None
    """`at_s` of the oldest crop waiting."""
    spare_waiting: int = 0
    """Spare crops that wait; they are in none of the above."""
    spare_refused: int = 0
    """Those that came while enough waited."""


@dataclass(slots=True)
class _Slot:
    """What is kept of one track, from its first crop until it is forgotten."""

    crop: Crop | None = None
    waits_since_s: float = 0.0
    """Where there is a crop: `at_s` of the first that was put here since the slot was empty."""
    demand: Demand | None = None
    dropped: int = 0
    starved: int = 0


class Batcher:
    """One slot per track, from which batches are taken fairly. Thread-safe.

    Args:
        max_batch: most crops in a batch.
        max_age_s: age at which a crop is no longer worth scoring.
        capacity: most tracks that may have a slot. A crop of 224 px weighs 150 kB.
    """

    def __init__(self, max_batch: int, max_age_s: float, *, capacity: int = _CAPACITY) -> None:
        self._max_batch = max_batch
        self._max_age_s = max_age_s
        self._capacity = capacity
        self._changed = threading.Condition()
        # Two rings: whose turn was longest ago comes first, among streams and among the tracks of each.
        self._streams: OrderedDict[str, OrderedDict[str, _Slot]] = OrderedDict()
        self._spare: deque[Crop] = deque()
        self._slots = self._waiting = 0
        self._urgent_turn = True
        self._offered = self._taken = self._replaced = self._stale = self._forgotten = self._refused = 0
        self._spare_refused = 0

    def offer(self, crop: Crop) -> None:
        """Puts a crop into its track's slot, in place of an older one that may be there."""
        with self._changed:
            self._offered += 1
            slot = self._slot(crop.stream, crop.track)
            if slot is None:
                if self._slots >= self._capacity:
                    self._refused += 1
                    return
                slot = self._streams.setdefault(crop.stream, OrderedDict())[crop.track] = _Slot()
                self._slots += 1
            if slot.crop is None:
                self._waiting += 1
                slot.waits_since_s = crop.at_s
            else:
                self._replaced += 1
                # Where crops are renewed in time none grows old, however long the track waits for its turn.
                starving = crop.at_s - slot.waits_since_s > self._max_age_s
                slot.starved += starving
                slot.dropped += not starving
            slot.crop = crop
            self._changed.notify()

    def offer_spare(self, crop: Crop) -> bool:
        """Leaves a crop to be scored when no other waits; False where too many such wait already."""
        with self._changed:
            if len(self._spare) >= _SPARE:
                self._spare_refused += 1
                return False
            self._spare.append(crop)
            self._changed.notify()
            return True

    def take_spare(self) -> Crop | None:
        """A spare crop, if there is one and nothing else waits."""
        with self._changed:
            return self._spare.popleft() if self._spare and not self._waiting else None

    def take(self, now_s: float, wait_s: float, *, at_most: int | None = None) -> list[Crop]:
        """The next batch, at most one crop of a track.

        Args:
            now_s: the time on the crops' clock, to tell which are too old.
            wait_s: how long to wait for a first crop if there is none, seconds.
            at_most: less than `max_batch`, where the taker wants to be done sooner.

        Returns:
            In order of turns; empty if nothing came, or only a spare crop.
        """
        size = self._max_batch if at_most is None else min(self._max_batch, at_most)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting > 0 or bool(self._spare), wait_s)
            self._drop_old(now_s)
            batch = [self._next(now_s) for _ in range(min(size, self._waiting))]
            self._taken += len(batch)
            return batch

    def demand(self, demand: Demand) -> None:
        """Takes the latest wish for a track, in place of any before; ignored where the track has no slot."""
        with self._changed:
            slot = self._slot(demand.stream, demand.track)
            if slot is not None:
                slot.demand = demand

    def settle(self, stream: str, track: str) -> tuple[int, int]:
        """Crops of the track that were (dropped, starved) since this was last asked."""
        with self._changed:
            slot = self._slot(stream, track)
            if slot is None:
                return 0, 0
            losses = slot.dropped, slot.starved
            slot.dropped = slot.starved = 0
            return losses

    def forget(self, stream: str, track: str) -> None:
        """The track has ended: its slot is given up, with the crop that may be in it."""
        with self._changed:
            slot = self._slot(stream, track)
            if slot is None:
                return
            if slot.crop is not None:
                self._waiting -= 1
                self._forgotten += 1
            del self._streams[stream][track]
            self._slots -= 1
            if not self._streams[stream]:
                del self._streams[stream]

    def forget_stream(self, stream: str) -> None:
        """Nothing more will come of the stream: its crops are forgotten as well."""
        with self._changed:
            for slot in self._streams.pop(stream, {}).values():
                self._slots -= 1
                if slot.crop is not None:
                    self._waiting -= 1
                    self._forgotten += 1

    def statistics(self) -> BatcherStatistics:
        """A snapshot."""
        with self._changed:
            return BatcherStatistics(
                waiting=self._waiting,
                offered=self._offered,
                taken=self._taken,
                replaced=self._replaced,
                stale=self._stale,
                forgotten=self._forgotten,
                refused=self._refused,
                oldest_at_s=min((slot.crop.at_s for slot in self._all() if slot.crop), default=None),
                spare_waiting=len(self._spare),
                spare_refused=self._spare_refused,
            )

    def _drop_old(self, now_s: float) -> None:
        for slot in self._all():
            if slot.crop is not None and now_s - slot.crop.at_s > self._max_age_s:
                slot.crop = None
                slot.starved += 1
                self._waiting -= 1
                self._stale += 1

    def _next(self, now_s: float) -> Crop:
        """Takes the crop whose turn it is out of its slot; there is one."""
        crop = self._most_urgent(now_s) if self._urgent_turn else None
        self._urgent_turn = crop is None
        if crop is None:
            crop = self._next_in_ring()
            self._streams.move_to_end(crop.stream)
        tracks = self._streams[crop.stream]
        tracks.move_to_end(crop.track)
        tracks[crop.track].crop = None
        self._waiting -= 1
        return crop

    def _next_in_ring(self) -> Crop:
        # The first waiting track of the first stream that has one.
        return next(slot.crop for slot in self._all() if slot.crop is not None)

    def _most_urgent(self, now_s: float) -> Crop | None:
        """The waiting crop of highest demand; among equals the oldest."""
        urgent = (
            (slot.demand.priority, -slot.crop.at_s, slot.crop)
            for slot in self._all()
            if slot.crop is not None
            and slot.demand is not None
            and slot.demand.priority > 0
            and slot.demand.expires_s >= now_s
        )
        best = max(urgent, key=lambda candidate: candidate[:2], default=None)
        return best[2] if best is not None else None

    def _all(self) -> Iterator[_Slot]:
        return (slot for tracks in self._streams.values() for slot in tracks.values())

    def _slot(self, stream: str, track: str) -> _Slot | None:
        tracks = self._streams.get(stream)
        return tracks.get(track) if tracks is not None else None
