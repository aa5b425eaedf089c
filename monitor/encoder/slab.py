"""Where crops lie while they are encoded: memory that the service and the encoder's process share.

It has a place for the batch in progress and one for the next. Where the system has no such memory, crops go through the
connection instead.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np

from monitor.messages import Pixels
from monitor.processes.memory import SHARES, give_memory, take_memory

Shape = tuple[int, int, int, int]
"""B, S, S, 3 of the largest batch."""

PLACES = 2


class Slab(Protocol):
    """Batches on their way: put at one end, got at the other, in turn."""

    def put(self, place: int, crops: Sequence[Pixels], message: object) -> None:
        """Puts crops, uint8 (S, S, 3) each, into one of the places, and sends the message that announces them."""

    def get(self, place: int, count: int) -> Pixels:
        """So many crops uint8 (B, S, S, 3); they may change once the batch is answered."""


class SharedSlab:
    """Memory that both ends see.

    Args:
        connection: to the other end.
        memory: both ends'.
        shape: of the largest batch.
    """

    def __init__(self, connection: Connection, memory: mmap.mmap, shape: Shape) -> None:
        self._connection = connection
        # As long as there is an array of it, the memory lives.
        self._crops: Pixels = np.frombuffer(memory, np.uint8).reshape(PLACES, *shape)

    def put(self, place: int, crops: Sequence[Pixels], message: object) -> None:
        """See `Slab`."""
        for number, crop in enumerate(crops):
            self._crops[place, number] = crop
        self._connection.send(message)

    def get(self, place: int, count: int) -> Pixels:
        """See `Slab`."""
        return self._crops[place, :count]


class PipedSlab:
    """Crops that go through the connection, behind the message that announces them."""

    def __init__(self, connection: Connection, shape: Shape) -> None:
        self._connection = connection
        self._shape = shape

    def put(self, place: int, crops: Sequence[Pixels], message: object) -> None:  # noqa: ARG002 - the pipe has no places
        """See `Slab`."""
        self._connection.send(message)
        self._connection.send_bytes(np.stack(crops).data.cast("B"))

    def get(self, place: int, count: int) -> Pixels:  # noqa: ARG002
        """See `Slab`."""
        return np.frombuffer(self._connection.recv_bytes(), np.uint8).reshape(count, *self._shape[1:])


def give_slab(connection: Connection, shape: Shape) -> Slab:
    """Makes a slab and gives the other end its side of it, which `take_slab` takes there.

    Raises:
        OSError: the other end is gone, or there is no such memory.
    """
    if not SHARES:
        return PipedSlab(connection, shape)
    return SharedSlab(connection, give_memory(connection, PLACES * math.prod(shape)), shape)


def take_slab(connection: Connection, shape: Shape) -> Slab:
    """The other end's.

    Raises:
        EOFError: the service is gone.
    """
    if not SHARES:
        return PipedSlab(connection, shape)
    return SharedSlab(connection, take_memory(connection, PLACES * math.prod(shape)), shape)
