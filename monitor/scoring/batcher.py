"""What the encoder looks at next, when there is more to look at than it can.

An old crop of a face is worth nothing once there is a newer one, so every track has one slot and the newest crop
has it; the queue is as long as there are faces, never longer. Nothing waits to fill a batch: on a CPU a batch of
eight costs eight times one crop, so what waits is taken and no more.

Need. Half of the turns are open to all, streams and tracks in the order in which they have waited; the other half is
for tracks with a `Demand`, which grows with the evidence against them, and is shared in its proportion (`turns.py`). So
demand gets at most half of the encoder while anybody else waits, a stream that waits is served within twice as many
turns as there are streams, and no suspect waits for another to be cleared.

Spare crops are nobody's: copies that were made to learn from. They are scored one at a time, when nothing else waits,
and count in nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.messages import Crop, Demand
from monitor.scoring.turns import Slot, Turns

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
    """Crops that had grown too old when their turn came."""
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
        self._turns = Turns()
        self._spare: deque[Crop] = deque()
        self._waiting = 0
        self._offered = self._taken = self._replaced = self._stale = self._forgotten = self._refused = 0
        self._spare_refused = 0

    def offer(self, crop: Crop) -> None:
        """Puts a crop into its track's slot, in place of an older one that may be there."""
        with self._changed:
            self._offered += 1
            slot = self._slot(crop.stream, crop.track)
            if slot is None:
                if self._turns.slots >= self._capacity:
                    self._refused += 1
                    return
                slot = self._turns.add(crop.stream, crop.track)
            before, slot.crop = slot.crop, crop
            if before is None:
                self._waiting += 1
                slot.waits_since_s = crop.at_s
                self._turns.wait(slot)
            else:
                self._replaced += 1
                # Where crops are renewed in time none grows old, however long the track waits for its turn.
                starving = crop.at_s - slot.waits_since_s > self._max_age_s
                slot.starved += starving
                slot.dropped += not starving
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

    def take(self, now_s: float, wait_s: float, *, at_most: int | None = None, full: bool = False) -> list[Crop]:
        """The next batch, at most one crop of a track.

        Args:
            now_s: the time on the crops' clock, to tell which are too old.
            wait_s: how long to wait for a first crop if there is none, seconds.
            at_most: less than `max_batch`, where the taker wants to be done sooner.
            full: only a batch of that size, or none.

        Returns:
            In order of turns; empty if nothing came, or only a spare crop.
        """
        size = self._max_batch if at_most is None else min(self._max_batch, at_most)
        with self._changed:
            self._changed.wait_for(lambda: self._waiting > 0 or bool(self._spare), wait_s)
            batch: list[Crop] = []
            if full and self._waiting < size:
                return batch
            while len(batch) < size and self._waiting:
                slot, crop = self._turns.next(now_s, self._max_age_s)
                self._waiting -= 1
                if crop is not None:
                    batch.append(crop)
                else:
                    slot.starved += 1
                    self._stale += 1
            self._taken += len(batch)
            return batch

    def demand(self, demand: Demand) -> None:
        """Takes the latest wish for a track, in place of any before; ignored where the track has no slot."""
        with self._changed:
            slot = self._slot(demand.stream, demand.track)
            if slot is not None:
                slot.demand = demand
                self._turns.wish(slot)

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
            self._forget(stream, track, slot)

    def forget_stream(self, stream: str) -> None:
        """Nothing more will come of the stream: its crops are forgotten as well."""
        with self._changed:
            gone = self._turns.streams.get(stream)
            for track, slot in [] if gone is None else list(gone.tracks.items()):
                self._forget(stream, track, slot)

    def _forget(self, stream: str, track: str, slot: Slot) -> None:
        if slot.crop is not None:
            self._waiting -= 1
            self._forgotten += 1
        self._turns.remove(stream, track)

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

    def _slot(self, stream: str, track: str) -> Slot | None:
        return self._turns.slot(stream, track)

    def _all(self) -> Iterator[Slot]:
        return (slot for slots in self._turns.streams.values() for slot in slots.tracks.values())
