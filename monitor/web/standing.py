"""Whether who has begun to listen still may: their password, role or token may be another since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Scope

AGAIN_S = 10.0
"""A look at the database; much rarer than events."""


async def ended(scope: Scope, again_s: float = AGAIN_S) -> None:
    """Waits until whoever has asked may not any more; for ever at a service without users.

    Args:
        scope: of the request, as `Identify` has passed it on.
        again_s: between two looks.
    """
    holds: Callable[[], Awaitable[bool]] | None = scope.get("holds")
    while True:
        await asyncio.sleep(again_s)
        if holds is not None and not await holds():
            return
