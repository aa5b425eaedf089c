"""Processes that come and go while a test looks at them."""

from __future__ import annotations

from contextlib import suppress

import psutil


def descendants(pid: int, name: str) -> list[psutil.Process]:
    """Those of this name that a process, or one of its children, has started and that are there now."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.name() == name:
                found.append(child)
    return found


def gone(process: psutil.Process) -> bool:
    """Whether it has ended, though its parent may not have asked how yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
