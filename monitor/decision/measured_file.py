"""Adds to a file of measured sessions: whole lines or nothing, by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from monitor.decision.calibration import difference
from monitor.decision.measured import Header, Measured, Piece, StreamLine, line, parse, unbegun
from monitor.errors import ConfigError, MonitorError


class MeasuredFile:
    """A file that is open for more. Its methods block; any thread may call them, one at a time.

    Args:
        path: the file.
        descriptor: of it, locked.
        check: of its last line; empty where there is none.
        end: bytes of it that count.
        max_bytes: more than so many it never holds.

    Attributes:
        path: the file.
        end: bytes of it that count.
    """

    def __init__(self, path: Path, descriptor: int, check: str, end: int, max_bytes: float) -> None:
        self.path = path
        self.end = end
        self._descriptor = descriptor
        self._check = check
        self._max_bytes = max_bytes

    @classmethod
    def open(cls, path: Path, header: Header, streams: Sequence[StreamLine], max_bytes: float = float("inf")) -> Self:
        """Begins a file, or goes on with one that is of the same encoder, sampling and length of session.

        Args:
            path: the file; its folder exists.
            header: its first line.
            streams: what the numbers that will be added are of.
            max_bytes: more than so many it never holds.

        Raises:
            ConfigError: it is of something else, which is said with both values, or was edited, or is no such file.
            MonitorError: another process adds to it, or it cannot be written.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MonitorError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            return cls._opened(path, descriptor, header, streams, max_bytes)
        except OSError as error:
            os.close(descriptor)
            raise MonitorError(f"{path}: cannot be written ({error.strerror})") from error
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def _opened(
        cls, path: Path, descriptor: int, header: Header, streams: Sequence[StreamLine], max_bytes: float
    ) -> Self:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MonitorError(f"{path}: another process learns into it") from None
        content = path.read_bytes()
        if unbegun(content):
            file = cls(path, descriptor, "", 0, max_bytes)
            file._add([header, *streams])
            return file
        measured, check, end = parse(path, content)
        if measured.session_hours != header.session_hours:
            raise ConfigError(
                f"{path}: learnt in sessions of {measured.session_hours:g} h, but they are {header.session_hours:g} h "
                "now; learn into another file"
            )
        file = cls(path, descriptor, check, end, max_bytes)
        file._add(_new(path, measured, streams))
        return file

    def append(self, pieces: Sequence[Piece]) -> bool:
        """Adds all of them; False where the file is as large as it may become, and nothing was added.

        Raises:
            OSError: nothing was added that counts.
        """
        return self._add(pieces)

    def close(self) -> None:
        """Closes the file and lets another process have it."""
        os.close(self._descriptor)

    def _add(self, models: Sequence[Header | StreamLine | Piece]) -> bool:
        lines, check = [], self._check
        for model in models:
            text, check = line(model, check)
            lines.append(text)
        data = "".join(lines).encode()
        if self.end + len(data) > self._max_bytes:
            return False
        # What an attempt has left that failed, or somebody who died in the midst of a line, goes first.
        os.ftruncate(self._descriptor, self.end)
        at = self.end
        while data:
            written = os.pwrite(self._descriptor, data, at)
            at, data = at + written, data[written:]
        os.fsync(self._descriptor)
        self.end, self._check = at, check
        return True


def _new(path: Path, measured: Measured, streams: Sequence[StreamLine]) -> list[StreamLine]:
    """Those that the file does not know yet."""
    new = []
    for stream in streams:
        known = measured.streams.get(stream.stream)
        if known is None:
            new.append(stream)
            continue
        why = difference(known.encoder, known.policy, stream.encoder, stream.policy)
        if why is not None:
            raise ConfigError(f"{path}: {why} (stream {stream.stream}); learn into another file")
    return new
