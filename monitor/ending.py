"""How the service's tasks and databases are ended: each in its time, and what does not answer is left."""

from __future__ import annotations

import asyncio

from monitor.store import AlertReader

_CANCEL_S = 0.4
_CLOSE_S = 0.4


async def closed(store: AlertReader) -> None:
    """Closes a database. One that does not answer is left as it is: the process ends, and with it all that it holds."""
    closing = asyncio.create_task(store.aclose(), name="close")
    await asyncio.wait([closing], timeout=_CLOSE_S)
    if closing.done():
        closing.result()


async def cancelled(*tasks: asyncio.Task[None]) -> list[BaseException]:
    """Cancels the tasks, waits for them, and returns the errors of those that had failed.

    One that does not end is left: it waits for a store that does not answer, and will do no harm by it.
    """
    for task in tasks:
        task.cancel()
    ended, _ = await asyncio.wait(tasks, timeout=_CANCEL_S)
    failures = [task.exception() for task in ended if not task.cancelled()]
    return [failure for failure in failures if failure is not None]
