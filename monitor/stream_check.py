"""Tries one stream: whether it can be opened, and what it carries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from monitor.added_stream import AddedStreamConfig
from monitor.errors import MonitorError, SourceError
from monitor.ingest.paired import misfit_of_sizes
from monitor.ingest.probe import StreamProbe, start_probe
from monitor.ingest.probe_apart import probe_apart
from monitor.stream_config import PUBLISHED, StreamConfig


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """What was found of one stream; `error` says why it cannot be watched."""

    name: str
    ok: bool
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    error: str | None = None
    note: str | None = None
    """What else is to be said of it."""


async def check_stream(stream: StreamConfig, timeout_s: float) -> StreamCheck:
    """Opens a stream and decodes its first pictures, for at most `timeout_s`.

    One that somebody wants to add, who need not be the machine's operator, is decoded by a process of its own.
    """
    note: str | None = None
    if stream.scheme == PUBLISHED:
        token = "with its token" if stream.token is not None else "without a token"
        if stream.many:
            note = f"waits for callers at /call/{stream.name} and /whip/{stream.name}, {token}"
            return StreamCheck(stream.name, ok=True, note=note)
        return StreamCheck(stream.name, ok=True, note=f"waits for a publisher at /whip/{stream.name}, {token}")
    small = stream.substream()
    try:
        if small is None:
            found = await _probe(stream, timeout_s)
        else:
            found, note = await _probe_both(stream, small, timeout_s)
    except MonitorError as error:
        return StreamCheck(stream.name, ok=False, error=str(error))
    return StreamCheck(stream.name, True, found.codec, found.width, found.height, found.fps, note=note)


async def _probe_both(stream: StreamConfig, small: StreamConfig, timeout_s: float) -> tuple[StreamProbe, str]:
    """What the stream carries, and what is to be said of its substream, opened at the same time."""
    looks = (_probe(stream, timeout_s), _probe(small, timeout_s))
    main, seen = await asyncio.gather(*looks, return_exceptions=True)
    if isinstance(main, BaseException):
        raise main
    if isinstance(seen, MonitorError):
        raise SourceError(f"detect_url: {seen}")
    if isinstance(seen, BaseException):
        raise seen
    why = misfit_of_sizes((seen.width, seen.height), (main.width, main.height))
    if why is not None:
        raise SourceError(f"detect_url: {why}")
    return main, f"faces are found on its substream, {seen.codec} {seen.width} x {seen.height}"


async def _probe(stream: StreamConfig, timeout_s: float) -> StreamProbe:
    if isinstance(stream, AddedStreamConfig):
        return await probe_apart(stream, timeout_s)
    return await _probe_here(stream, timeout_s)


async def _probe_here(stream: StreamConfig, timeout_s: float) -> StreamProbe:
    probing = asyncio.wrap_future(start_probe(stream, timeout_s))
    await asyncio.wait([probing], timeout=timeout_s)
    if not probing.done():
        probing.cancel()
        raise SourceError(f"no picture within {timeout_s:g} s")
    return probing.result()
