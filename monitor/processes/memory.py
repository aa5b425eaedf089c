"""Memory that two processes share and that has no name, so that nothing of it is left whoever is killed when."""

from __future__ import annotations

import mmap
import os
import socket
from multiprocessing.connection import Connection

SHARES = hasattr(os, "memfd_create")
"""Whether this system has such memory."""


def give_memory(connection: Connection, size: int) -> mmap.mmap:
    """Makes so many bytes, zeros, of which pages that are never touched cost nothing; `take_memory` gets them there.

    It lives for as long as one of the two has it mapped.

    Raises:
        OSError: the other end is gone, or no memory can be had.
    """
    file = os.memfd_create("gend")
    try:
        os.truncate(file, size)
        with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
            socket.send_fds(end, [b"."], [file])
        return mmap.mmap(file, size)
    finally:
        os.close(file)


def take_memory(connection: Connection, size: int) -> mmap.mmap:
    """The other end's; waits for it.

    Raises:
        EOFError: the other end is gone.
    """
    with socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as end:
        _, files, _, _ = socket.recv_fds(end, 1, 1)
    if not files:
        raise EOFError
    try:
        return mmap.mmap(files[0], size)
    finally:
        os.close(files[0])
