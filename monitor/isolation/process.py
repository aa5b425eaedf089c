"""A stream's worker in a process of its own: what runs there, and what passes between it and `supervisor`.

FFmpeg and OpenVINO are C and C++ that read whatever a camera sends: what crashes, hangs or eats all memory there takes
this process with it and no other. It is not a sandbox: it has the service's rights, and the service unpickles what
it sends.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import cv2

from monitor.answers import Answer, Request
from monitor.clock import LiveClock
from monitor.ingest import SourceStatus
from monitor.isolation.crops import SHARED_BYTES, CropSlots, Placed
from monitor.messages import Crop, Demand, Look, Tracked
from monitor.processes.child import Wire, introduce, leave_signals_to_the_service, send_logs
from monitor.processes.memory import SHARES, take_memory
from monitor.redact import one_line
from monitor.usage import own_usage
from monitor.worker import StreamWorker, WorkerPlan, WorkerStatistics, track_ids

_log = logging.getLogger("monitor.pipeline")

REPORT_EVERY_S = 1.0
_GOODBYE_S = 5.0
"""For the camera to be told and threads to end; whoever wants it sooner kills the process."""
_ORPHAN_S = 1.0
"""The same where the service has died."""
_OOM_SCORE = 500
"""Where memory runs out a worker goes before all others."""
_MORE_MEMORY = 3 * 2**30
"""Bytes that a worker may ask for beyond what it begins with: room for 8K video, not for a picture that claims more."""


@dataclass(frozen=True, slots=True)
class Report:
    """How the worker does; sent every `REPORT_EVERY_S`, and so the sign that it lives."""

    statistics: WorkerStatistics
    failure: str | None


@dataclass(frozen=True, slots=True)
class Unable:
    """The worker cannot begin, or go on, and its process ends."""

    reason: str


FromWorker = Tracked | Placed | SourceStatus | Answer | Report | Unable
ToWorker = Demand | Look | Request | None
"""None asks it to stop."""


def work(connection: Connection, memory: Connection, plan: WorkerPlan, prefix: str, log_level: int) -> NoReturn:
    """Runs a worker until it is asked to stop or the other end of the connection is gone, and leaves the process.

    Args:
        connection: takes `FromWorker` and log lines, gives `ToWorker`.
        memory: gives what crops are put into, and nothing else.
        plan: what the worker is made of.
        prefix: begins the ids of its tracks.
        log_level: least level of the project's log lines that are wanted.
    """
    leave_signals_to_the_service(_GOODBYE_S)
    introduce(plan.stream.name, oom_score=_OOM_SCORE)
    _bound_memory()
    cv2.setNumThreads(1)  # streams are many, and each would begin threads for all cores
    wire = Wire[FromWorker](connection)
    send_logs(wire, log_level)
    try:
        slots = CropSlots(take_memory(memory, SHARED_BYTES)) if SHARES else None
        _serve(connection, wire, plan, prefix, slots)
    except Exception as error:  # noqa: BLE001 - a detector that cannot be had, or our own fault: told, then tried anew
        _log.debug("%s: the worker's process fails", plan.stream.name, exc_info=True)
        wire.send(Unable(one_line(error)))
    # At once: a thread may be stuck in FFmpeg, which would also hold up an orderly end of the interpreter.
    os._exit(0)


def _serve(
    connection: Connection, wire: Wire[FromWorker], plan: WorkerPlan, prefix: str, slots: CropSlots | None
) -> None:
    def send(message: Tracked) -> None:
        wire.send(message if slots is None or not isinstance(message, Crop) else slots.place(message))

    tracking = plan.tracking(track_ids(prefix))
    worker = StreamWorker(
        plan.stream,
        tracking,
        LiveClock(),
        on_message=send,
        on_status=wire.send,
        webrtc=plan.webrtc,
        ring=plan.ring,
        on_answer=wire.send,
    )
    worker.start()
    goodbye_s = _attend(connection, wire, worker)
    worker.ask_to_stop()
    worker.join(time.monotonic() + goodbye_s)
    wire.send(_report(worker))


def _attend(connection: Connection, wire: Wire[FromWorker], worker: StreamWorker) -> float:
    """Passes wishes on and reports; returns how long the goodbye may take."""
    due_s, told = 0.0, False
    while True:
        if time.monotonic() >= due_s:
            wire.send(_report(worker))
            if (hang := worker.hang) is not None and not told:
                _log.warning("%s: %s", worker.stream, hang)
            told = hang is not None
            due_s = time.monotonic() + REPORT_EVERY_S
        try:
            if not connection.poll(max(0.0, due_s - time.monotonic())):
                continue
            wish: ToWorker = connection.recv()
        except (EOFError, OSError):
            return _ORPHAN_S
        if wish is None:
            return _GOODBYE_S
        if isinstance(wish, Look):
            worker.look(wish)
        elif isinstance(wish, Demand):
            worker.demand(wish)
        else:
            worker.ask(wish)


def _report(worker: StreamWorker) -> Report:
    usage = own_usage()
    statistics = replace(worker.statistics(), cpu_s=usage.cpu_s, memory_bytes=usage.memory_bytes)
    return Report(statistics, worker.failure)


def _bound_memory() -> None:
    """A picture may claim any size: asking for so much memory fails, before the machine's is used up."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
