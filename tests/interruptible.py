"""Commands that Ctrl-C ends, wherever the tests themselves were started."""

from __future__ import annotations

import sys

_AGAIN = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def interruptible(*command: str) -> list[str]:
    """The command, with SIGINT as a terminal leaves it: what a script starts in the background has it ignored."""
    return [sys.executable, "-c", _AGAIN, *command]
