"""What this machine, or the container that we are in, gives us: cores and free memory."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from monitor.capacity.costs import Machine

_CGROUP = Path("/sys/fs/cgroup")
_MB = 1e6


def this_machine(cgroup: Path = _CGROUP) -> Machine:
    """Looks now.

    Args:
        cgroup: where Linux says what a container may use (version 2).
    """
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    free = float(psutil.virtual_memory().available)
    return Machine(min(cores, _quota(cgroup) or cores), min(free, _room(cgroup) or free) / _MB)


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time that the container gets; None without a limit."""
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _room(cgroup: Path) -> float | None:
    """Bytes that the container may still use; None without a limit."""
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if not limit.isdigit() or not used.isdigit():
        return None
    # What files are kept in memory is given up when it is wanted.
    kept = [line.split()[1] for line in _read(cgroup / "memory.stat").splitlines() if line.startswith("inactive_file ")]
    return max(1.0, int(limit) - int(used) + sum(map(int, kept)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
