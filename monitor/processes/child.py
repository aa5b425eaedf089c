"""What each process does for itself: it says who it is, leaves signals to the service, and sends its log there."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Generic, TypeVar

from monitor.logs import repeat

_log = logging.getLogger("monitor.pipeline")

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Logged:
    """A line for the service's log."""

    logger: str
    level: int
    text: str
    exception: str | None = None
    """A traceback, where it has one."""

    def write(self, stream: str | None = None) -> None:
        """Writes it there, as of the stream that it is about."""
        repeat(self.logger, self.level, self.text, stream=stream, exception=self.exception)


class Wire(Generic[M]):
    """Sends messages of any thread, one at a time; without a word where nobody listens any more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: M | Logged) -> None:
        """Sends a message."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(message)


class _WireHandler(logging.Handler):
    """Sends log lines to the service, which hides what is secret and writes them."""

    def __init__(self, wire: Wire[M]) -> None:
        super().__init__()
        self._wire = wire
        self._traceback = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        exception = None if not record.exc_info else self._traceback.formatException(record.exc_info)
        self._wire.send(Logged(record.name, record.levelno, record.getMessage(), exception))


def send_logs(wire: Wire[M], level: int) -> None:
    """Sends the log to the service: the project's lines from a level on, those of others from warnings on."""
    root = logging.getLogger()
    root.handlers[:] = [_WireHandler(wire)]
    root.setLevel(logging.WARNING)
    for name in ("monitor", "gend"):
        logging.getLogger(name).setLevel(level)
    # What ends a thread would else be written to standard error, secrets and all.
    threading.excepthook = lambda error: _log.error("%s ends: %s", error.thread and error.thread.name, error.exc_value)


def leave_signals_to_the_service(goodbye_s: float) -> None:
    """SIGINT and SIGTERM are sent to whole groups of processes; the service, which gets them too, says when to stop.

    Args:
        goodbye_s: after a SIGTERM; whoever has not been stopped by then leaves by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: threading.Timer(goodbye_s, os._exit, args=(0,)).start())


def introduce(name: str, *, oom_score: int) -> None:
    """Tells Linux who this is.

    Args:
        name: `ps` shows it behind `gend-`.
        oom_score: how soon this process goes where memory runs out, before the service at 0; 1000 goes first.
    """
    for path, text in (("comm", f"gend-{name}"), ("oom_score_adj", str(oom_score))):
        with contextlib.suppress(OSError):
            Path("/proc/self", path).write_text(text)
