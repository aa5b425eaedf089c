"""HTTP/1.1 with patience that ends: uvicorn waits for ever for the rest of a request's headers.

Whoever opens connections and sends a byte now and then would hold them all (slow loris). Bodies are `bodies.py`'s.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADERS_S = 20.0


class PatientHttp(H11Protocol):
    """uvicorn's protocol on h11, which hangs up on who does not finish the headers of a request in time.

    Counted from the connection's beginning or, on one that is kept, from the first byte of the next request. How large
    headers may be, uvicorn bounds itself, and how long a kept connection may be silent.
    """

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begins to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Goes on to wait, or stops, by what the bytes have completed."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._overdue is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops to wait."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._overdue = self.loop.call_later(_HEADERS_S, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _hang_up(self) -> None:
        self._overdue = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
