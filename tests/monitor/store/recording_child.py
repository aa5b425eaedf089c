"""Records and delivers alerts as fast as it can until it is killed; run by `test_killed.py`.

Prints `recorded ID SEQUENCE` after each alert that is safe, and `delivered ID` after each that was ticked off.
"""

from __future__ import annotations

import asyncio
import sys

from tests.monitor.store.examples import an_alert, opened


async def main(url: str) -> None:
    async with opened(url) as store:
        for number in range(1_000_000):
            alert = await store.record(an_alert(id=f"{store.run_id}-{number}", stream=f"s{number % 2}"), ["mqtt"])
            print("recorded", alert.id, alert.stream, alert.sequence, flush=True)
            if number % 3 == 2:
                row = (await store.pending("mqtt", 1))[0]
                await store.delivered(row)
                print("delivered", row.alert.id, flush=True)


if __name__ == "__main__":
    assert "torch" not in sys.modules
    asyncio.run(main(sys.argv[1]))
