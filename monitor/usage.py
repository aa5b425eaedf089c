"""What a process takes of the machine."""

from __future__ import annotations

import contextlib
import resource
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """A snapshot.

    Attributes:
        cpu_s: seconds of processor time, of all threads, since it began.
        memory_bytes: of its memory that is in the machine's now, what it shares with others included; 0 where nobody
            can tell.
    """

    cpu_s: float
    memory_bytes: int


def own_usage() -> Usage:
    """Of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    memory_bytes = 0
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # no file handle is left, for example
            memory_bytes = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return Usage(used.ru_utime + used.ru_stime, memory_bytes)
