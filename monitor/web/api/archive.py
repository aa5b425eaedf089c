"""A package as one ZIP file that is written while it is sent: nothing of it is put on the disk or kept in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence

from monitor.actions.evidence import PackageFile

_CHUNK_BYTES = 262_144


class _Sink(io.RawIOBase):
    """Takes what is written, until it is taken away."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        written, self._written = bytes(self._written), bytearray()
        return written


def zipped(folder: str, files: Sequence[PackageFile]) -> Iterator[bytes]:
    """The archive, piece by piece. Works on the disk.

    Args:
        folder: in which the files are, in the archive.
        files: what is in it; pictures and video do not compress, so nothing is compressed.

    Raises:
        OSError: a file cannot be read any more; what was sent is no whole archive then.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            with file.path.open("rb") as read, archive.open(f"{folder}/{file.name}", "w") as entry:
                while chunk := read.read(_CHUNK_BYTES):
                    entry.write(chunk)
                    yield sink.taken()
    yield sink.taken()
