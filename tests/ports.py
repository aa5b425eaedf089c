"""Ports for servers that are told theirs before they listen, or that let go of it for a while.

A port that the system hands out and that is let go again may be handed to anybody. These are none of those that it
hands out, and no two processes of a test run choose from the same ones.
"""

from __future__ import annotations

import functools
import itertools
import os
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
_FIRST = 18_000
_EACH = 1_500
_WORKERS = 8


def free_port() -> int:
    """A port of loopback that nobody listens on, and that no other call gives soon."""
    for port in itertools.islice(_ports(), _EACH):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
    raise AssertionError("no port is free")


@functools.cache
def _ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    slice_of_ours = range(_FIRST + worker * _EACH, _FIRST + (worker + 1) * _EACH)
    begin = os.getpid() % _EACH  # the next run begins elsewhere
    return itertools.cycle([*slice_of_ours[begin:], *slice_of_ours[:begin]])
