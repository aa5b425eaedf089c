"""The log as programs read it: one JSON object a line, whatever is logged, with nothing in it that the text hides."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from monitor.logs import JsonFormatter, of_stream, repeat, set_up_logging

SECRET = 'p"ss\nw0rd'
_log = logging.getLogger("monitor.test_logs")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, ("monitor", "gend"))]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    hooks = sys.excepthook, threading.excepthook
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def raised(text: str) -> ValueError:
    """An error with a traceback."""
    with pytest.raises(ValueError) as caught:
        raise ValueError(text)
    return caught.value


def test_json_lines_say_when_how_bad_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")
    _log.info("scoring works again after %d s", 3)
    _log.debug("not asked for")
    (line,) = lines(capsys)
    at = datetime.fromisoformat(line.pop("time"))
    assert (at.utcoffset() is not None, at.microsecond % 1000) == (True, 0)
    assert line == {
        "level": "info",
        "logger": "monitor.test_logs",
        "message": "scoring works again after 3 s",
    }


def test_json_lines_of_a_stream_have_it_as_a_field_and_text_begins_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")
    of_stream(_log, "lobby").warning("connecting, %s", "no route to host")
    (line,) = lines(capsys)
    assert (line["stream"], line["message"]) == ("lobby", "lobby: connecting, no route to host")
    set_up_logging(debug=False)
    of_stream(_log, "lobby").warning("connecting, %s", "no route to host")
    assert capsys.readouterr().err.rstrip().endswith("WARNING lobby: connecting, no route to host")


@pytest.mark.parametrize(
    "nasty", ["two\nlines", "a tab\tand \x1b[31mcolour", "\u2028\x85 ends of lines", "\udcff", '"}{"']
)
def test_json_lines_are_valid_and_one_whatever_is_logged(nasty: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")
    _log.warning(nasty)
    _log.warning("%s", nasty)
    assert [line["message"] for line in lines(capsys)] == [nasty, nasty]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_credentials_are_hidden_in_either_format(log_format: Any, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, secrets=[SECRET, "t0ken-of-it"], log_format=log_format)
    _log.error("it says %s and %s", SECRET, "Bearer abcdef", exc_info=raised(f"rtsp://user:hunter2@camera/{SECRET}"))
    repeat("monitor.ingest", logging.WARNING, "t0ken-of-it", stream="lobby", exception="rtsp://user:hunter2@there")
    of_stream(_log, "t0ken-of-it").warning("live")  # a stream may be called as somebody's password is
    told = capsys.readouterr().err
    for secret in (SECRET, json.dumps(SECRET)[1:-1], "t0ken-of-it", "hunter2", "abcdef"):
        assert secret not in told
    assert told.count("***") >= 5


def test_json_lines_keep_tracebacks_apart(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")
    _log.error("it failed", exc_info=raised("wrong"))
    (line,) = lines(capsys)
    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback (most recent call last)")
    assert line["exception"].endswith("ValueError: wrong")


def test_json_lines_tell_of_warnings_and_of_threads_that_die(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")

    def die() -> None:
        raise ValueError("rtsp://user:hunter2@camera.example")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        thread = threading.Thread(target=die, name="score")
        # Not pytest's hook, which is in force while a test runs.
        threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError("user:hunter2@x"), None, thread)))
        warnings.warn("old", stacklevel=1)
    ended, warned = lines(capsys)
    assert (ended["message"], ended["level"]) == ("score ends: ValueError: ***@x", "error")
    assert (warned["logger"], "UserWarning: old" in warned["message"]) == ("py.warnings", True)


def test_repeat_heeds_the_level_and_keeps_logger_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=False, log_format="json")
    repeat("monitor.ingest", logging.DEBUG, "not asked for", stream="lobby", exception=None)
    repeat("monitor.ingest", logging.WARNING, "lobby: stalled, 100 %s", stream="lobby", exception="Traceback …")
    (line,) = lines(capsys)
    assert {key: line[key] for key in ("logger", "level", "message", "stream", "exception")} == {
        "logger": "monitor.ingest",
        "level": "warning",
        "message": "lobby: stalled, 100 %s",
        "stream": "lobby",
        "exception": "Traceback …",
    }


def test_json_formatter_formats_a_traceback_that_nobody_has_yet() -> None:
    error = raised("wrong")
    record = logging.LogRecord(
        "monitor", logging.ERROR, "", 0, "it failed", (), (type(error), error, error.__traceback__)
    )
    assert json.loads(JsonFormatter().format(record))["exception"].endswith("ValueError: wrong")
