"""Memory of processes, for benchmarks of Linux."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil


def memory_mb(processes: Iterable[psutil.Process]) -> tuple[float, float]:
    """Proportional and unique set size of all of them, MB."""
    pss_kb = uss_kb = 0
    for process in processes:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                pss_kb += int(value.split()[0])
            elif name in {"Private_Clean", "Private_Dirty"}:
                uss_kb += int(value.split()[0])
    return pss_kb / 1024, uss_kb / 1024
