"""A bounded queue from threads into the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """A snapshot of a mailbox."""

    waiting: int
    received: int
    refused: int


class Mailbox(Generic[T]):
    """Any thread puts, one task takes all that waits at once.

    Args:
        capacity: items that may wait. Beyond it items are refused and counted, except those marked `keep`:
            what must not be lost (the end of a track) is rare enough to be bounded by its nature.
        loop: the event loop of the taking task.
    """

    def __init__(self, capacity: int, loop: asyncio.AbstractEventLoop) -> None:
        self._capacity = capacity
        self._loop = loop
        self._items: deque[T] = deque()
        self._lock = threading.Lock()
        self._filled = asyncio.Event()
        self._received = self._refused = 0

    def put(self, item: T, *, keep: bool = False) -> bool:
        """Leaves an item; False if it was refused."""
        with self._lock:
            if len(self._items) >= self._capacity and not keep:
                self._refused += 1
                return False
            self._received += 1
            self._items.append(item)
            first = len(self._items) == 1
        if first and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._filled.set)
        return True

    async def take(self) -> list[T]:
        """Waits until something is there and returns all of it, oldest first."""
        await self._filled.wait()
        return self.take_now()

    def take_now(self) -> list[T]:
        """All that waits, oldest first; only from the loop's thread."""
        self._filled.clear()
        with self._lock:
            items = list(self._items)
            self._items.clear()
        return items

    def statistics(self) -> MailboxStatistics:
        """A snapshot of what waits and what was counted."""
        with self._lock:
            return MailboxStatistics(len(self._items), self._received, self._refused)
