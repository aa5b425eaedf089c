"""What one stream costs: it is watched for some seconds as it would be in service, in a process of its own."""

from __future__ import annotations

import itertools
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from monitor.capacity.costs import StreamCost
from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest import SourceStatus
from monitor.isolation import IsolatedWorker
from monitor.messages import BLOCK_S, Crop, Tracked, TrackObservation
from monitor.worker import WorkerPlan

WARM_S = 2.0
"""After the first picture: libraries are loaded by then, and faces have their tracks."""
_TOLD_S = 0.5
"""A track's second is told of with the next picture that is analysed."""
_GOODBYE_S = 6.0
_TELL_EVERY_S = 0.2
_MB = 1e6


def measure_stream(plan: WorkerPlan, seconds: float, open_s: float, progress: Callable[[float], None]) -> StreamCost:
    """Watches a stream; takes `WARM_S` and `seconds` from its first picture on.

    Args:
        plan: what its worker is made of. A recording is played again and again.
        seconds: how long it is measured.
        open_s: given to it until its first picture.
        progress: told the part that is done, 0 to 1; what it raises ends the measurement.

    Raises:
        SourceError: there is no picture, or the stream or its process ended meanwhile; why.
    """
    # An empty room may cost a third; but somebody may come into all of them at once.
    plan = replace(plan, faces=plan.faces.model_copy(update={"idle_blind_max_s": 0}))
    if plan.stream.scheme == "file":
        plan = replace(plan, stream=plan.stream.model_copy(update={"loop": True}))
    sample = _Sample()
    numbers = itertools.count(1)
    worker = IsolatedWorker(
        plan,
        new_prefix=lambda: f"capacity-{next(numbers)}",
        clock=LiveClock(),
        on_message=sample.take,
        on_status=sample.statuses.put,
    )
    worker.start()
    try:
        sample.wait_until_live(open_s)
        _wait(WARM_S, lambda part: progress(part * WARM_S / (WARM_S + seconds)))
        return _measure(worker, sample, seconds, lambda part: progress((WARM_S + part * seconds) / (WARM_S + seconds)))
    except psutil.Error:
        raise SourceError(sample.trouble() or "its process ended meanwhile") from None
    finally:
        worker.ask_to_stop()
        worker.join(time.monotonic() + _GOODBYE_S)


def _measure(worker: IsolatedWorker, sample: _Sample, seconds: float, progress: Callable[[float], None]) -> StreamCost:
    pid = worker.pid
    if pid is None:  # it is just being replaced
        raise SourceError(sample.trouble() or "its process ended meanwhile")
    process = psutil.Process(pid)
    began_s, before_s = time.monotonic(), _cpu_s(process)
    _wait(seconds, progress)
    cpu_s, ended_s = _cpu_s(process) - before_s, time.monotonic()
    if (reason := sample.trouble()) is not None:
        raise SourceError(reason)
    faces, faces_share = sample.faces(began_s, ended_s)
    return StreamCost(
        seconds=ended_s - began_s,
        cores=cpu_s / (ended_s - began_s),
        memory_mb=_own_bytes(process) / _MB,
        fps=worker.statistics().reader.fps,
        faces=faces,
        faces_share=faces_share,
        crops_per_s=sample.crops(began_s, ended_s) / (ended_s - began_s),
    )


class _Sample:
    """What a worker has told."""

    def __init__(self) -> None:
        self.statuses: queue.SimpleQueue[SourceStatus] = queue.SimpleQueue()
        self._last: SourceStatus | None = None
        self._lock = threading.Lock()
        self._crops_s: list[float] = []
        self._present_s: list[tuple[int, float]] = []

    def take(self, message: Tracked) -> None:
        """Called from the worker's thread."""
        with self._lock:
            if isinstance(message, Crop):
                self._crops_s.append(message.at_s)
            elif isinstance(message, TrackObservation):
                self._present_s.append((message.block, message.present_s))

    def wait_until_live(self, open_s: float) -> None:
        """Raises SourceError where it is not."""
        deadline_s = time.monotonic() + open_s
        while self._last is None or self._last.state != "live":
            try:
                self._last = self.statuses.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except queue.Empty:
                raise SourceError(f"no picture within {open_s:g} s: {self.last_reason()}") from None
            if self._last.state == "stopped":
                raise SourceError(self.last_reason())

    def trouble(self) -> str | None:
        """Why it has not been live all the time; None where it has."""
        while not self.statuses.empty():
            self._last = self.statuses.get()
            if self._last.state != "live":
                return f"{self._last.state} meanwhile: {self._last.reason or 'no reason is known'}"
        return None

    def last_reason(self) -> str:
        """Why it is not live."""
        while not self.statuses.empty():
            self._last = self.statuses.get()
        return (self._last and self._last.reason) or "no reason is known"

    def crops(self, began_s: float, ended_s: float) -> int:
        """Of frames that arrived meanwhile."""
        with self._lock:
            return sum(began_s <= at_s < ended_s for at_s in self._crops_s)

    def faces(self, began_s: float, ended_s: float) -> tuple[float, float]:
        """Faces at a time, and the share of seconds in which there was any; of whole seconds alone."""
        first, after = math.ceil(began_s / BLOCK_S), math.floor((ended_s - _TOLD_S) / BLOCK_S)
        blocks = max(1, after - first)
        with self._lock:
            seen = [(block, present_s) for block, present_s in self._present_s if first <= block < after and present_s]
        return sum(present_s for _, present_s in seen) / (blocks * BLOCK_S), len({block for block, _ in seen}) / blocks


def _wait(seconds: float, progress: Callable[[float], None]) -> None:
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < seconds:
        progress(passed_s / seconds)
        time.sleep(min(_TELL_EVERY_S, seconds - passed_s))
    progress(1.0)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _own_bytes(process: psutil.Process) -> float:
    """Memory that would be free without the process."""
    try:
        return float(process.memory_full_info().uss)
    except psutil.AccessDenied:  # macOS tells it of some processes only
        return float(process.memory_info().rss)
