"""The table of faults: what was done to the monitor, what it said of it, and how soon it was well again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One fault that was injected.

    Attributes:
        fault: what was done, in a few words.
        seen: what the monitor said of it: a state, a reason, a metric.
        recovered_s: from the end of the fault until the monitor worked again; None where nothing is to recover.
    """

    fault: str
    seen: str
    recovered_s: float | None


class FaultTable:
    """Collects rows while the tests run; `lines` shows them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, fault: str, seen: str, recovered_s: float | None = None) -> None:
        """Notes a fault that was seen and, where that applies, recovered from."""
        self.rows.append(Row(fault, seen, recovered_s))

    @contextmanager
    def recovery(self, fault: str, seen: str) -> Iterator[None]:
        """Times the block, which begins when the fault ends and ends when the monitor works again."""
        began = time.monotonic()
        yield
        self.add(fault, seen, time.monotonic() - began)

    def lines(self) -> list[str]:
        """A Markdown table."""
        if not self.rows:
            return []
        head = ["| fault | seen as | well again after |", "|---|---|---|"]
        return head + [
            f"| {row.fault} | {row.seen} | {'' if row.recovered_s is None else f'{row.recovered_s:.1f} s'} |"
            for row in self.rows
        ]
