"""A look at a stream that somebody wants to add, by a process of its own, which is killed when its time is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from monitor.added_stream import AddedStreamConfig
from monitor.errors import SourceError
from monitor.ingest.probe import StreamProbe
from monitor.ingest.probe_child import Said, Task

_LINE_BYTES = 64 * 1024
_KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ")
"""Of the environment. There are passwords in the rest, and proxies, which would look up names out of our sight."""


async def probe_apart(stream: AddedStreamConfig, timeout_s: float) -> StreamProbe:
    """Opens a stream elsewhere, decodes its first pictures, and closes it.

    Where it may lead is held against its connection there, as it is here.

    Args:
        stream: what is looked at.
        timeout_s: for all of it, the start of the process among it.

    Raises:
        SourceError: there is no picture within that time, or the process has ended over it.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "monitor.ingest.probe_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
    except OSError as error:
        raise SourceError(f"no process can be had to look at it: {error.strerror}") from None
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(timeout_s):
            process.stdin.write(Task.of(stream, timeout_s).model_dump_json().encode())
            process.stdin.close()
            said = Said.model_validate_json(await process.stdout.readline())
    except TimeoutError:
        raise SourceError(f"no picture within {timeout_s:g} s") from None
    except ValueError:  # its line is none, or far too long
        raise SourceError("the process that looked at it has ended over it") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if said.error is not None:
        raise SourceError(said.error)
    return StreamProbe(said.codec, said.width, said.height, said.fps)
