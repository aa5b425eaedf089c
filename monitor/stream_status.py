"""The state of one stream in words and figures, for people and for the retained topic."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.clock import Clock
from monitor.ingest import SourceStatus
from monitor.messages import Status
from monitor.worker import WorkerStatistics


def stream_status(
    source: SourceStatus,
    worker: WorkerStatistics,
    clock: Clock,
    *,
    failures: Iterable[str | None],
    drift: str | None,
    starved: bool,
    notices: Iterable[str],
) -> Status:
    """The state of a stream now.

    Args:
        source: where it stands.
        worker: what its worker has counted.
        clock: of `source`.
        failures: why it is not analysed or not scored; None where it is.
        drift: what of its scores no longer fits its calibration.
        starved: whether crops of one of its faces wait too long to be scored.
        notices: of the encoder.
    """
    degraded = [
        worker.tracking.degraded,
        worker.reader.degraded,
        *failures,
        None if drift is None else f"drift: {drift}",
        "starved: crops of a face wait too long to be scored" if starved else None,
        *notices,
    ]
    live = source.state == "live"
    return Status(
        source.stream,
        source.state,
        since=clock.wall(source.since_s),
        degraded=tuple(reason for reason in degraded if reason),
        reason=source.reason,
        fps=round(worker.reader.fps, 1) if live else 0.0,
        faces=worker.tracking.faces if live else 0,
    )
