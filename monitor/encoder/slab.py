"""Where crops lie while they are encoded: memory that the service and the encoder's process share.

The memory has no name (`memfd_create`), so that nothing of it is left whoever is killed when. Where the system has no
such memory, crops go through the connection instead.
"""

from __future__ import annotations

import math
import mmap
import os
import socket
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np

from monitor.messages import Pixels

Shape = tuple[int, int, int, int]
"""B, S, S, 3 of the largest batch."""

SHARES = hasattr(os, "memfd_create")


class Slab(Protocol):
    """One batch on its way: put at one end, got at the other, in turn."""

    def put(self, crops: Pixels, message: object) -> None:
        """Puts crops uint8 (B, S, S, 3) there, and sends the message that announces them."""

    def get(self, count: int) -> Pixels:
        """So many crops; they may change once the batch is answered."""


class SharedSlab:
    """Memory that both ends see.

    Args:
        connection: to the other end.
        file: the memory's descriptor; closed by this.
        shape: of the largest batch.
    """

    def __init__(self, connection: Connection, file: int, shape: Shape) -> None:
        self._connection = connection
        try:
            # As long as it is mapped the memory lives; it goes when the last array of it does.
            self._crops: Pixels = np.frombuffer(mmap.mmap(file, math.prod(shape)), np.uint8).reshape(shape)
        finally:
            os.close(file)

    def put(self, crops: Pixels, message: object) -> None:
        """See `Slab`."""
        self._crops[: len(crops)] = crops
        self._connection.send(message)

    def get(self, count: int) -> Pixels:
        """See `Slab`."""
        return self._crops[:count]


class PipedSlab:
    """Crops that go through the connection, behind the message that announces them."""

    def __init__(self, connection: Connection, shape: Shape) -> None:
        self._connection = connection
        self._shape = shape

    def put(self, crops: Pixels, message: object) -> None:
        """See `Slab`."""
        self._connection.send(message)
        self._connection.send_bytes(np.ascontiguousarray(crops).data.cast("B"))

    def get(self, count: int) -> Pixels:
        """See `Slab`."""
        return np.frombuffer(self._connection.recv_bytes(), np.uint8).reshape(count, *self._shape[1:])


def give_slab(connection: Connection, shape: Shape) -> Slab:
    """Makes a slab and gives the other end its side of it, which `take_slab` takes there.

    Raises:
        OSError: the other end is gone, or there is no such memory.
    """
    if not SHARES:
        return PipedSlab(connection, shape)
    file = os.memfd_create("gend-crops")
    os.truncate(file, math.prod(shape))
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        socket.send_fds(end, [b"."], [file])
    return SharedSlab(connection, file, shape)


def take_slab(connection: Connection, shape: Shape) -> Slab:
    """The other end's.

    Raises:
        EOFError: the service is gone.
    """
    if not SHARES:
        return PipedSlab(connection, shape)
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        _, files, _, _ = socket.recv_fds(end, 1, 1)
    if not files:
        raise EOFError
    return SharedSlab(connection, files[0], shape)
