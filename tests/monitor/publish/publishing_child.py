"""Records alerts and publishes them until it is killed; run by `test_killed.py`.

Prints `recorded ID` after each alert that is safe.
"""

from __future__ import annotations

import asyncio
import os
import sys

from monitor.mqtt_config import MqttConfig
from tests.monitor.publish.running import publishing
from tests.monitor.store.examples import an_alert, opened


async def main(store_url: str, mqtt_url: str) -> None:
    async with opened(store_url) as store, publishing(MqttConfig(url=mqtt_url), store) as publisher:
        for number in range(1_000_000):
            alert = await store.record(an_alert(id=f"{store.run_id}-{number}", stream=f"s{number % 2}"), ["mqtt"])
            publisher.wake()
            # In one write: killed between the words of a print, it would have said half a line.
            os.write(sys.stdout.fileno(), f"recorded {alert.id}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
