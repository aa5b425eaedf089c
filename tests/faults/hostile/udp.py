"""Sends transport streams to a UDP port, as a camera that neither knows nor cares who listens."""

from __future__ import annotations

import itertools
import socket
import threading
from typing import Self

from tests.ports import free_port

_DATAGRAM = 7 * 188
_LASTS_S = 1.0
"""How long a clip takes to be sent once."""


class Sender:
    """Sends one payload again and again while the context lasts; `url` is where it may be read."""

    def __init__(self, payload: bytes) -> None:
        self._datagrams = [payload[start : start + _DATAGRAM] for start in range(0, len(payload), _DATAGRAM)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._port = free_port()
        self.url = f"udp://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for datagram in itertools.cycle(self._datagrams):
                out.sendto(datagram, ("127.0.0.1", self._port))
                if self._over.wait(_LASTS_S / len(self._datagrams)):
                    return
