"""Logging to standard error: one line per change of state, credentials taken out; for people, or as JSON for programs.

As JSON each line is an object: `time`, `level`, `logger`, `message`; `stream`, where it is about one; `exception`,
where there is a traceback. What is told of one stream is logged by `of_stream`, so that its name need not be sought.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Collection, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from monitor.redact import RedactingFilter, Redactor

LogFormat = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname)-7s %(message)s"


def set_up_logging(*, debug: bool, secrets: Collection[str] = (), log_format: LogFormat = "text") -> None:
    """Sends `monitor` and `gend` logs to standard error, and of other libraries what is a warning or worse.

    Args:
        debug: also show what is not a change of state.
        secrets: configured passwords and tokens, hidden literally wherever they appear.
        log_format: for people, or an object on each line.
    """
    handler = logging.StreamHandler()
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
        logging.captureWarnings(capture=True)
        sys.excepthook, threading.excepthook = _log_death, _log_thread_death
    else:
        handler.setFormatter(logging.Formatter(_TEXT, datefmt="%H:%M:%S"))
    handler.addFilter(RedactingFilter(Redactor(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("monitor", "gend"):
        logging.getLogger(name).setLevel(logging.DEBUG if debug else logging.INFO)


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object on one line, in ASCII: no reader can take a part of it for another line."""

    def format(self, record: logging.LogRecord) -> str:
        """The object. Nothing is hidden here, but by `RedactingFilter` before."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        stream = getattr(record, "stream", None)
        if isinstance(stream, str):
            line["stream"] = stream
        exception = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        if exception:
            line["exception"] = exception
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line)


class _OfStream(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        extra = dict(self.extra or {})  # a stream's name has nothing in it that would be taken for a placeholder
        return f"{extra['stream']}: {msg}", {**kwargs, "extra": extra}


def of_stream(log: logging.Logger, stream: str) -> logging.LoggerAdapter[logging.Logger]:
    """Logs what is told of one stream: lines begin with its name, and as JSON have a field of it."""
    return _OfStream(log, {"stream": stream})


def repeat(logger: str, level: int, text: str, *, stream: str | None, exception: str | None) -> None:
    """Logs what another process has logged.

    Args:
        logger: name of the logger that it was logged with.
        level: of the line.
        text: the line.
        stream: that it is about, if it is about one.
        exception: its traceback, if it has one.
    """
    log = logging.getLogger(logger)
    if not log.isEnabledFor(level):
        return
    about: Mapping[str, object] = {} if stream is None else {"stream": stream}
    record = log.makeRecord(logger, level, "", 0, text, (), None, extra=about)
    record.exc_text = exception
    log.handle(record)


def _log_death(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("monitor").critical("the command failed", exc_info=(kind, error, trace))


def _log_thread_death(end: threading.ExceptHookArgs) -> None:
    name = end.thread.name if end.thread is not None else "a thread"
    what = "".join(traceback.format_exception_only(end.exc_type, end.exc_value)).strip()
    trace = None if end.exc_value is None else (end.exc_type, end.exc_value, end.exc_traceback)
    logging.getLogger("monitor").error("%s ends: %s", name, what, exc_info=trace)
