"""What is said of an exception where a person reads it: in the log and as a stream's status."""

from __future__ import annotations

from monitor.redact import redact


def one_line(error: Exception) -> str:
    """Its type and the first line of its text, without credentials."""
    return redact(f"{type(error).__name__}: {error}").splitlines()[0]
