"""What is said of an address that cannot be opened."""

from __future__ import annotations

import errno
import os

import av
import pytest

from monitor.ingest.address import Address


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EIO, "host name not found (write / @ # ? in a password as %2F %40 %23 %3F)"),  # FFmpeg says no more
        (errno.EMFILE, "Too many open files"),
        (errno.ECONNREFUSED, "Connection refused"),
    ],
)
def test_only_a_host_that_was_not_found_is_called_so(number: int, reason: str) -> None:
    error = av.error.OSError(number, os.strerror(number), "rtsp://user:hunter2@host.invalid/x")
    failure = Address("rtsp://user:hunter2@host.invalid/x").cannot_open(error, silent_s=None)
    assert str(failure) == f"cannot open: {reason}"


def test_a_host_that_is_known_has_another_fault() -> None:
    error = av.error.OSError(errno.EIO, os.strerror(errno.EIO), "rtsp://127.0.0.1/x")
    assert str(Address("rtsp://127.0.0.1/x").cannot_open(error, silent_s=None)) == "cannot open: Input/output error"
