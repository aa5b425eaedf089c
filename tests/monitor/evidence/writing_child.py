"""Writes packages until it is killed, and says of each that it is there; run by `test_writer.py`."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from tests.monitor.evidence.examples import a_case, a_job, packages, running
from tests.waiting import wait_until


def main(folder: Path, most: int | None) -> None:
    with running(folder) as writer:
        for number in itertools.count(1) if most is None else range(1, most + 1):
            writer.put(a_job(a_case(number), writer, clip=bytes(100_000)))
            wait_until(lambda number=number: writer.statistics().written + bool(writer.statistics().shed) == number)  # type: ignore[misc]
            if most is None:
                print(number, flush=True)
        statistics = writer.statistics()
        left = "nothing is left" if not packages(folder) and not list(writer.spool.iterdir()) else "something is left"
        print(f"{statistics.written} written, shed {statistics.shed}, short: {writer.short}, {left}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
