"""Fills a small disk with alerts; run by `test_disk.py` on a file system of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from tests.monitor.store.examples import an_alert, opened
from tests.monitor.store.test_disk import record_until_refused


async def main(folder: Path) -> None:
    url = f"sqlite+aiosqlite:///{folder}/alerts.db"
    async with opened(url) as store:
        assert store.statistics().reserve_held
        filler = folder / "recordings"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        recorded, refusal = await record_until_refused(store)
        assert not store.statistics().reserve_held
        print(recorded)
        print(refusal)
    filler.unlink()
    async with opened(url) as store:
        kept = await store.record(an_alert(0), ["mqtt"])
        assert kept.sequence == recorded + 1
        assert store.statistics().reserve_held
    print("recorded, no holes")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
