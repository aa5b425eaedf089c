"""Whether who has begun to listen still may: their password, role or token may be another since."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import Scope

AGAIN_S = 10.0
"""A look at the database; much rarer than events."""


class Standing:
    """Of one request that goes on for long.

    Args:
        scope: of the request, as `Identify` has passed it on.
        again_s: between two looks.
    """

    def __init__(self, scope: Scope, again_s: float = AGAIN_S) -> None:
        self._holds: Callable[[], Awaitable[bool]] | None = scope.get("holds")
        self._again_s = again_s
        self._looked_s = time.monotonic()

    async def ended(self) -> None:
        """Waits until they may not any more; for ever at a service without users."""
        while True:
            await asyncio.sleep(self._again_s)
            if not await self.lasts():
                return

    async def lasts(self) -> bool:
        """Whether they still may, as of the last look, which is not long ago."""
        if self._holds is None or time.monotonic() - self._looked_s < self._again_s:
            return True
        self._looked_s = time.monotonic()
        return await self._holds()
