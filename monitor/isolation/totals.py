"""Statistics that go on over the restarts of a worker's process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from monitor.ingest import ReaderStatistics
from monitor.tracking import TrackingStatistics
from monitor.worker import WorkerStatistics

T = TypeVar("T")


def nothing_yet() -> WorkerStatistics:
    """The statistics of a worker that has not begun."""
    reader = ReaderStatistics(
        state="connecting", fps=0.0, frames=0, distrusted=0, unwanted=0, packets_corrupt=0, decode_errors=0, bytes=0,
        reconnects=0, abandoned=0,
    )  # fmt: skip
    return WorkerStatistics(reader, TrackingStatistics(), superseded=0, failures=0)


_STANDS = frozenset({"fps", "faces", "tracks", "quiet_s", "demanded_per_s", "crop_due", "analysing_s", "memory_bytes"})
"""Figures that say how things stand; all others count."""


def total(before: T, now: T) -> T:
    """Statistics of which the counts are added, field by field; what only stands is taken from `now`."""
    if before is None:
        return now
    if is_dataclass(now) and not isinstance(now, type):
        parts = {
            field.name: total(getattr(before, field.name), getattr(now, field.name))
            for field in fields(now)
            if field.name not in _STANDS
        }
        return replace(now, **parts)
    if isinstance(now, Mapping):
        return cast("T", dict(Counter(cast("Mapping[str, int]", before)) + Counter(cast("Mapping[str, int]", now))))
    if isinstance(now, int | float):
        return cast("T", cast("float", before) + now)
    return now
