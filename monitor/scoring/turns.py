"""Whose turn it is: the order in which waiting tracks are served, whatever they wait with.

Turns alternate between two lanes. In the open lane the stream is next that has waited for the most turns, and of its
tracks the one that has gone unscored for the most. In the urgent lane those who have a `Demand` share the turns in
proportion to its priority, whatever their stream (stride scheduling). An urgent turn that nobody claims goes to the
open lane.

A turn costs the logarithm of the number of tracks: who is next is kept in heaps. An entry whose track has been served,
or has asked for something else, since it was made is passed over when it comes up.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from monitor.messages import Crop, Demand

_SPENT = 64
"""Spent entries that a heap may hold, besides some for each track, before it is cleared of them: tracks come, go and
renew their wishes also where nothing is taken."""


@dataclass(slots=True, eq=False)
class StreamSlots:
    """The tracks of one stream."""

    served: int
    """Its last turn in the open lane; that of its first crop before."""
    tracks: dict[str, Slot] = field(default_factory=dict)
    waiting: list[tuple[int, int, Slot]] = field(default_factory=list)
    """A heap of those with a crop: by when they were served, then by entry."""
    queued: bool = False
    """Whether the open lane knows that it waits."""


@dataclass(slots=True, eq=False)
class Slot:
    """What is kept of one track, from its first crop until it is forgotten."""

    stream: StreamSlots
    served: int
    """Its last turn; that of its first crop before."""
    queued: bool = False
    """Whether its stream knows that it waits."""
    since: float = 0.0
    """How far the urgent lane was when it began to wait."""
    crop: Crop | None = None
    waits_since_s: float = 0.0
    """Where there is a crop: `at_s` of the first that was put here since the slot was empty."""
    demand: Demand | None = None
    dropped: int = 0
    starved: int = 0


class Turns:
    """All tracks, and the order of those that wait. Not thread-safe."""

    def __init__(self) -> None:
        self.streams: dict[str, StreamSlots] = {}
        self.slots = 0
        self._turns = 0
        self._entries = itertools.count()  # makes entries differ, and those of one turn come in their order
        self._open: list[tuple[int, int, StreamSlots]] = []  # a heap, by when they were served
        self._urgent: list[tuple[float, int, Slot, Demand]] = []  # a heap, by when they are due
        self._urgent_done = 0.0  # when the last of them was due
        self._urgent_turn = True

    def slot(self, stream: str, track: str) -> Slot | None:
        """That of a track; None where it has none."""
        found = self.streams.get(stream)
        return found.tracks.get(track) if found is not None else None

    def add(self, stream: str, track: str) -> Slot:
        """A new slot; it comes last in its stream, and a stream last of all: else ever new ones would be first."""
        slots = self.streams.setdefault(stream, StreamSlots(self._turns))
        slot = slots.tracks[track] = Slot(slots, self._turns)
        self.slots += 1
        return slot

    def remove(self, stream: str, track: str) -> None:
        """Gives a slot up, which exists."""
        slots = self.streams[stream]
        slot = slots.tracks.pop(track)
        slot.crop, slot.queued = None, False
        self.slots -= 1
        if not slots.tracks:
            slots.queued = False
            del self.streams[stream]

    def wait(self, slot: Slot) -> None:
        """The slot has a crop, and had none."""
        slots = slot.stream
        if not slot.queued:
            slot.queued = True
            heappush(slots.waiting, (slot.served, next(self._entries), slot))
            if len(slots.waiting) > 4 * len(slots.tracks) + _SPENT:
                slots.waiting = [entry for entry in slots.waiting if entry[2].queued and entry[0] == entry[2].served]
                heapify(slots.waiting)
        self._queue(slots)
        slot.since = self._urgent_done
        self.wish(slot)

    def wish(self, slot: Slot) -> None:
        """The slot has another demand; heeded where it has a crop as well."""
        demand = slot.demand
        if slot.crop is None or demand is None or demand.priority <= 0:
            return
        # Half the priority is due after twice the time, which passes as the lane's turns do.
        heappush(self._urgent, (slot.since + 1 / demand.priority, next(self._entries), slot, demand))
        if len(self._urgent) > 4 * self.slots + _SPENT:
            self._urgent = [entry for entry in self._urgent if _stands(entry)]
            heapify(self._urgent)

    def next(self, now_s: float, max_age_s: float) -> tuple[Slot, Crop | None]:
        """Who is next, and its crop, which is taken out; None where that was too old, and it was no turn.

        Somebody waits.
        """
        slot = self._most_urgent(now_s) if self._urgent_turn else None
        urgent = slot is not None
        if slot is None:
            slot = self._longest_unscored()
        crop, slot.crop = slot.crop, None
        if crop is None or now_s - crop.at_s > max_age_s:
            return slot, None
        self._turns += 1
        slot.served, slot.queued = self._turns, False
        if urgent:
            self._urgent_done = self._urgent[0][0]
        else:
            slot.stream.served, slot.stream.queued = self._turns, False
            if slot.stream.waiting:
                self._queue(slot.stream)
        self._urgent_turn = not urgent
        return slot, crop

    def _queue(self, slots: StreamSlots) -> None:
        if not slots.queued:
            slots.queued = True
            heappush(self._open, (slots.served, next(self._entries), slots))
            if len(self._open) > 4 * len(self.streams) + _SPENT:
                self._open = [entry for entry in self._open if entry[2].queued and entry[0] == entry[2].served]
                heapify(self._open)

    def _longest_unscored(self) -> Slot:
        """Of the stream that has waited longest, the track that has; there is one."""
        while True:
            served, _, slots = self._open[0]
            while slots.queued and served == slots.served and slots.waiting:
                served_then, _, slot = slots.waiting[0]
                if slot.crop is not None and slot.queued and served_then == slot.served:
                    return slot
                heappop(slots.waiting)
                if served_then == slot.served:
                    slot.queued = False
            heappop(self._open)
            if served == slots.served:
                slots.queued = False

    def _most_urgent(self, now_s: float) -> Slot | None:
        """Who is due first of those with a wish that stands, and a crop."""
        while self._urgent:
            entry = self._urgent[0]
            _, _, slot, demand = entry
            if _stands(entry) and demand.expires_s >= now_s:
                return slot
            heappop(self._urgent)
        return None


def _stands(entry: tuple[float, int, Slot, Demand]) -> bool:
    """Whether the track still waits for what the entry says: it has a crop, and neither turn nor wish since."""
    due, _, slot, demand = entry
    return slot.crop is not None and slot.demand is demand and due == slot.since + 1 / demand.priority
