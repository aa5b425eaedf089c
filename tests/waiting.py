"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60.0
"""Long, for machines that do much else; what works answers at once."""


def wait_until(look: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
    """What is to be seen, as soon as it is something (not None, False, 0 or empty); fails where it never is."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline_s, f"has not happened within {timeout_s:g} s"
        time.sleep(0.02)
    return found
