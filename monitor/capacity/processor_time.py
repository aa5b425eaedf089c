"""What processes of ours have taken of the processor."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def own_processes() -> list[psutil.Process]:
    """This one and its children, the fork server among them."""
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor time that they have taken so far, seconds, those of them that have ended left out."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def machine_cpu_s() -> float:
    """Processor time that the whole machine has spent on anything since it was started."""
    times = psutil.cpu_times()
    # Not every system tells all of these apart.
    return float(sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq")))
