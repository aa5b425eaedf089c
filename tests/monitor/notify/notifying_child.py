"""Records alerts and posts them until it is killed; run by `test_killed.py`.

Prints `recorded ID` after each alert that is safe.
"""

from __future__ import annotations

import asyncio
import os
import sys

from tests.monitor.notify.running import a_webhook, notifying
from tests.monitor.store.examples import an_alert, opened


async def main(store_url: str, webhook: str) -> None:
    async with opened(store_url) as store, notifying([a_webhook(webhook)], store) as notifier:
        for number in range(1_000_000):
            alert = an_alert(number, id=f"{store.run_id}-{number}", stream=f"s{number % 2}")
            await store.record(alert, notifier.sinks(alert))
            notifier.wake()
            # In one write: killed between the words of a print, it would have said half a line.
            os.write(sys.stdout.fileno(), f"recorded {alert.id}\n".encode())
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
