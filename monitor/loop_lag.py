"""How late the event loop is: what blocks it delays every alert, page and request."""

from __future__ import annotations

import asyncio

from monitor.histogram import Distribution, Histogram

_EVERY_S = 0.5
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopLag:
    """Sleeps again and again, and notes by how much too long. Belongs to the event loop."""

    def __init__(self) -> None:
        self._lags = Histogram(_BOUNDS_S)

    async def run(self) -> None:
        """Measures until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self._lags.add([loop.time() - due_s])

    def snapshot(self) -> Distribution:
        """Seconds that the loop was late."""
        return self._lags.snapshot()
