"""The demo as a shell sees it end: by a signal, by its time, by an error."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_STUCK = "import time; show.load_live_parts = lambda _: time.sleep(300)"
_FOREIGN = "def fail(_): raise TimeoutError('of something else')\nshow.load_live_parts = fail"


@contextmanager
def demo(*arguments: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """`gend-monitor demo` in a process of its own, in which `before` is done to the module `show` first."""
    program = f"import monitor.demo.show as show\n{before}\nfrom monitor.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Lines of standard error up to the one that has these words."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError(f"never said: {words}\n{''.join(lines)}")


@pytest.mark.parametrize(
    ("number", "arguments", "code"), [(signal.SIGINT, (), 0), (signal.SIGTERM, ("--until-alert",), 1)]
)
def test_a_signal_ends_it_in_plain_words(number: signal.Signals, arguments: tuple[str, ...], code: int) -> None:
    with demo(*arguments, "--timeout-s", "120") as process:
        read_until(process, "Ctrl-C ends")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, "")
        for complaint in ("Traceback", "Error", "ERROR", "WARNING", "Task "):
            assert complaint not in err, err


def test_a_signal_while_it_loads_ends_it_at_once() -> None:
    with demo(before=_STUCK) as process:
        read_until(process, "loading")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"), [((), 0, "time is over"), (("--until-alert",), 1, "no alert within 1 s")]
)
def test_the_time_limit_holds_while_it_loads(arguments: tuple[str, ...], code: int, words: str) -> None:
    with demo(*arguments, "--timeout-s", "1", before=_STUCK) as process:
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err.splitlines()[-1]) == (code, words)


def test_a_time_out_of_something_else_is_not_taken_for_the_limit() -> None:
    with demo("--until-alert", "--timeout-s", "60", before=_FOREIGN) as process:
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert err.splitlines()[-1] == "TimeoutError: of something else"
        assert "no alert within" not in err


_LOGGING = """
import logging
serve = show.serve
async def noisy(*arguments, **named):
    logging.getLogger("monitor.ingest").warning("the stream stutters")
    logging.getLogger("monitor.service").warning("the service is worried")
    await serve(*arguments, **named)
show.serve = noisy
"""


@pytest.mark.parametrize("debug", [False, pytest.param(True, marks=pytest.mark.long)])
def test_only_alerts_that_are_printed_anyway_are_kept_from_the_log(debug: bool) -> None:
    with demo("--until-alert", "--timeout-s", "120", *(["--debug"] if debug else []), before=_LOGGING) as process:
        out, err = process.communicate(timeout=150)
        assert process.returncode == 0, err
        assert "RAISED" in out
        assert "the stream stutters" in err
        assert "the service is worried" in err
        assert ("alert raised on" in err) == debug
