"""One stream's worker: its reader, the newest frame, and the thread that analyses it.

A frame never leaves here. What does is serialisable, so that a worker can move into a process of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.config import StreamConfig
from monitor.ingest import Reader, ReaderStatistics, SourceStatus
from monitor.messages import Crop, Demand, Frame, TrackObservation
from monitor.tracking import Tracking, TrackingStatistics

_log = logging.getLogger("monitor.pipeline")

_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A snapshot of one stream's worker."""

    reader: ReaderStatistics
    tracking: TrackingStatistics
    superseded: int
    """Frames due for analysis that a newer one replaced before their turn came."""
    failures: int
    """Analyses that raised."""


class _NewestFrame:
    """Holds one frame; a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self.superseded = 0

    def put(self, frame: Frame) -> None:
        with self._changed:
            self.superseded += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        with self._changed:
            if self._frame is None:
                self._changed.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame


class StreamWorker:
    """Reads, follows and samples one stream in threads of its own.

    Args:
        config: the stream.
        tracking: follows its faces; used by the analysis thread alone, except for `demand`.
        clock: the pipeline's clock.
        lost_s: seconds without a frame after which every track has ended.
        on_message: takes crops and observations; called from the analysis thread.
        on_status: takes the reader's changes of state; called from its threads.
    """

    def __init__(
        self,
        config: StreamConfig,
        tracking: Tracking,
        clock: Clock,
        *,
        lost_s: float,
        on_message: Callable[[Crop | TrackObservation], None],
        on_status: Callable[[SourceStatus], None],
    ) -> None:
        self.stream = config.name
        self._tracking = tracking
        self._clock = clock
        self._lost_s = lost_s
        self._on_message = on_message
        self._newest = _NewestFrame()
        self._stopping = threading.Event()
        self._failures = 0
        self.failure: str | None = None
        """Why the last analysis raised; None while they succeed."""
        self._reader = Reader(config, on_frame=self._newest.put, on_status=on_status, clock=clock, wanted=tracking.due)
        self._thread = threading.Thread(target=self._analyse, name=f"track-{self.stream}", daemon=True)

    def start(self) -> None:
        """Starts both threads."""
        self._thread.start()
        self._reader.start()

    def stop(self, timeout_s: float) -> None:
        """Stops both threads; one that is still blocked after `timeout_s` is left behind with a warning."""
        deadline_s = time.monotonic() + timeout_s
        self._stopping.set()
        self._reader.stop(timeout_s)
        self._thread.join(max(0.1, deadline_s - time.monotonic()))
        if self._thread.is_alive():
            _log.warning("%s: the analysis is still busy after %.1f s and is left behind", self.stream, timeout_s)

    def demand(self, demand: Demand) -> None:
        """Passes decision's wish on to the sampler."""
        self._tracking.demand(demand)

    def statistics(self) -> WorkerStatistics:
        """A snapshot of reader and tracking."""
        return WorkerStatistics(
            self._reader.statistics(), self._tracking.statistics(), self._newest.superseded, self._failures
        )

    def _analyse(self) -> None:
        last_s = self._clock.now_s()
        while not self._stopping.is_set():
            frame = self._newest.take(_POLL_S)
            now_s = self._clock.now_s()
            if frame is not None:
                last_s = frame.at_s
                self._process(frame)
            elif now_s - last_s > self._lost_s:
                last_s = now_s
                self._send(self._tracking.flush(now_s))

    def _process(self, frame: Frame) -> None:
        # Whatever a detector makes of a hostile picture, the stream goes on: the failure is told once and counted.
        try:
            messages = self._tracking.process(frame)
        except Exception as error:  # noqa: BLE001
            self._failures += 1
            if self.failure is None:
                _log.warning(
                    "%s: a frame could not be analysed: %s", self.stream, error, exc_info=_log.isEnabledFor(10)
                )
            self.failure = f"{type(error).__name__}: {error}"
            return
        self.failure = None
        self._send(messages)

    def _send(self, messages: list[Crop | TrackObservation] | list[TrackObservation]) -> None:
        for message in messages:
            self._on_message(message)
