"""Whether anybody listens where a camera should be: a look that costs nothing, between tries that do.

A camera that reboots is away for a minute. To try it every second would hammer those that are there and refuse,
and FFmpeg is deaf while it tries: it waits for the answer to a packet that it sent before the camera was back.
So while nobody listens, a bare TCP connection is tried often, and the camera as soon as one succeeds.
"""

from __future__ import annotations

import errno
import functools
import os
import socket

_ANSWER_S = 1.5
"""Long enough for the system to send a lost packet once more, which it does after a second."""
_CLOSED = frozenset(
    {errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ETIMEDOUT}
)


class Door:
    """Where somebody must listen for an address to be opened. Looks the name up once, as a watch over it is short."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    def closed(self) -> str | None:
        """Why nobody can be reached there; None where somebody listens, or where it cannot be told.

        Blocks for a second or two, and longer where the name's lookup does.
        """
        reason = None
        try:
            for family, kind, protocol, _, address in self._addresses:
                with socket.socket(family, kind, protocol) as caller:
                    caller.settimeout(_ANSWER_S)
                    reason = _refusal(caller, address)
                if reason is None:
                    return None
        except OSError:
            return None  # no such name, no more file handles: nothing is known of the other end
        return reason

    @functools.cached_property
    def _addresses(self) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, object]]:
        return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM))


def _refusal(caller: socket.socket, address: object) -> str | None:
    """Why a connection is not made; None where it is. Raises OSError where that tells nothing of the other end."""
    try:
        caller.connect(address)  # type: ignore[arg-type]  # as getaddrinfo gave it
    except TimeoutError:
        return "no answer"
    except OSError as error:
        if error.errno not in _CLOSED:
            raise
        return os.strerror(error.errno)
    return None
