"""A stream's worker in a process of its own: what runs there, and what passes between it and `supervisor`.

FFmpeg and OpenVINO are C and C++ that read whatever a camera sends: what crashes, hangs or eats all memory there takes
this process with it and no other. It is not a sandbox: it has the service's rights, and the service unpickles what
it sends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from monitor.answers import Answer, Request
from monitor.clock import LiveClock
from monitor.ingest import SourceStatus
from monitor.messages import Demand, Look, Tracked
from monitor.redact import one_line
from monitor.usage import own_usage
from monitor.worker import StreamWorker, WorkerPlan, WorkerStatistics, track_ids

_log = logging.getLogger("monitor.pipeline")

REPORT_EVERY_S = 1.0
_GOODBYE_S = 5.0
"""For the camera to be told and threads to end; whoever wants it sooner kills the process."""
_ORPHAN_S = 1.0
"""The same where the service has died."""
_MORE_MEMORY = 3 * 2**30
"""Bytes that a worker may ask for beyond what it begins with: room for 8K video, not for a picture that claims more."""


@dataclass(frozen=True, slots=True)
class Report:
    """How the worker does; sent every `REPORT_EVERY_S`, and so the sign that it lives."""

    statistics: WorkerStatistics
    failure: str | None


@dataclass(frozen=True, slots=True)
class Logged:
    """A line for the service's log."""

    logger: str
    level: int
    text: str
    exception: str | None = None
    """A traceback, where it has one."""


@dataclass(frozen=True, slots=True)
class Unable:
    """The worker cannot begin, or go on, and its process ends."""

    reason: str


FromWorker = Tracked | SourceStatus | Answer | Report | Logged | Unable
ToWorker = Demand | Look | Request | None
"""None asks it to stop."""


def work(connection: Connection, plan: WorkerPlan, prefix: str, log_level: int) -> NoReturn:
    """Runs a worker until it is asked to stop or the other end of the connection is gone, and leaves the process.

    Args:
        connection: takes `FromWorker`, gives `ToWorker`.
        plan: what the worker is made of.
        prefix: begins the ids of its tracks.
        log_level: least level of the project's log lines that are wanted.
    """
    # Both are sent to whole groups of processes. The service, which gets them too, says when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(_GOODBYE_S, os._exit, args=(0,)).start())
    _introduce(plan.stream.name)
    _bound_memory()
    wire = _Wire(connection)
    _send_logs(wire, log_level)
    try:
        _serve(connection, wire, plan, prefix)
    except Exception as error:  # noqa: BLE001 - a detector that cannot be had, or our own fault: told, then tried anew
        _log.debug("%s: the worker's process fails", plan.stream.name, exc_info=True)
        wire.send(Unable(one_line(error)))
    # At once: a thread may be stuck in FFmpeg, which would also hold up an orderly end of the interpreter.
    os._exit(0)


def _serve(connection: Connection, wire: _Wire, plan: WorkerPlan, prefix: str) -> None:
    tracking = plan.tracking(track_ids(prefix))
    worker = StreamWorker(
        plan.stream,
        tracking,
        LiveClock(),
        on_message=wire.send,
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


def _attend(connection: Connection, wire: _Wire, worker: StreamWorker) -> float:
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


class _Wire:
    """Sends messages of any thread, one at a time; without a word where nobody listens any more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)


class _WireHandler(logging.Handler):
    """Sends log lines to the service, which hides what is secret and writes them."""

    def __init__(self, wire: _Wire) -> None:
        super().__init__()
        self._wire = wire
        self._traceback = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        exception = None if not record.exc_info else self._traceback.formatException(record.exc_info)
        self._wire.send(Logged(record.name, record.levelno, record.getMessage(), exception))


def _send_logs(wire: _Wire, level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_WireHandler(wire)]
    root.setLevel(logging.WARNING)
    for name in ("monitor", "gend"):
        logging.getLogger(name).setLevel(level)
    # What ends a thread would else be written to standard error, secrets and all.
    threading.excepthook = lambda error: _log.error("%s ends: %s", error.thread and error.thread.name, error.exc_value)


def _introduce(stream: str) -> None:
    """Tells Linux who this is: `ps` shows the stream, and where memory runs out a worker goes before the service."""
    for path, text in (("comm", f"gend-{stream}"), ("oom_score_adj", "500")):
        with contextlib.suppress(OSError):
            Path("/proc/self", path).write_text(text)


def _bound_memory() -> None:
    """A picture may claim any size: asking for so much memory fails, before the machine's is used up."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
