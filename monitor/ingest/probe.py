"""A look at a stream before anything is started: does it answer, and what does it carry?"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from monitor.clock import LiveClock
from monitor.errors import SourceError
from monitor.ingest.decoder import Picture
from monitor.ingest.source import Source
from monitor.ingest.status import SourceStatus
from monitor.ingest.tally import Tally
from monitor.ingest.way import Way
from monitor.messages import Frame
from monitor.stream_config import PULLED, StreamConfig
from monitor.webrtc_config import WebRtcConfig

_RATE_PICTURES = 12
"""Pictures looked at to find a frame rate that the stream does not declare."""


@dataclass(frozen=True, slots=True)
class StreamProbe:
    """What a stream carries."""

    codec: str
    width: int
    """Full-resolution width, pixels."""
    height: int
    fps: float | None
    """Frames per second, declared or else measured; None where neither gives one."""


def probe(config: StreamConfig, timeout_s: float) -> StreamProbe:
    """Opens a stream, decodes its first pictures, and closes it.

    Blocks for `timeout_s` at the most: an attempt that is stuck is left behind in a daemon thread.

    Raises:
        SourceError: there is no picture within that time.
    """
    try:
        return start_probe(config, timeout_s).result(timeout_s)
    except TimeoutError:
        raise SourceError(f"no picture within {timeout_s:g} s") from None


def start_probe(config: StreamConfig, timeout_s: float) -> Future[StreamProbe]:
    """As `probe`, without waiting: the result, or its SourceError, is in the future when there is one.

    The thread is one of its own, not of a pool, where silent streams would keep others from being tried. A stream
    that is stuck may never settle the future: wait for it with a limit.
    """
    found: Future[StreamProbe] = Future()
    found.set_running_or_notify_cancel()  # nobody can cancel it under the thread's hands

    def look() -> None:
        try:
            found.set_result(_look(config, timeout_s))
        except Exception as error:  # noqa: BLE001 - carried over to the caller, whatever it is
            found.set_exception(error)

    threading.Thread(target=look, name=f"probe-{config.name}", daemon=True).start()
    return found


def _look(config: StreamConfig, timeout_s: float) -> StreamProbe:
    if config.scheme in PULLED:
        return _fetch(config, timeout_s)
    with Source.open(
        Way(config).url(),
        clock=LiveClock(),
        tally=Tally(),
        transport=config.transport,
        hardware=config.hardware,
        open_s=timeout_s,
        silence_s=timeout_s,
    ) as source:
        pictures: list[Picture] = []
        for arrived in source.read():
            pictures += arrived
            if pictures and (source.fps is not None or len(pictures) >= _RATE_PICTURES):
                break
        if not pictures:
            raise SourceError("no picture in it can be decoded")
        video = pictures[-1].video
        return StreamProbe(source.codec, video.width, video.height, source.fps or _measured_fps(pictures))


def _fetch(config: StreamConfig, timeout_s: float) -> StreamProbe:
    """The same over WebRTC."""
    from monitor.ingest.webrtc.pulled import PulledReader  # noqa: PLC0415 - aiortc is not needed elsewhere

    heard: queue.SimpleQueue[Frame | SourceStatus] = queue.SimpleQueue()
    reader = PulledReader(config, WebRtcConfig(), on_frame=heard.put, on_status=heard.put, clock=LiveClock())
    frames: list[Frame] = []
    reader.start()
    try:
        while len(frames) < _RATE_PICTURES:
            told = heard.get(timeout=timeout_s)
            if isinstance(told, Frame):
                frames.append(told)
            elif told.state == "connecting" and told.reason is not None:
                raise SourceError(told.reason)
        return StreamProbe(reader.codec or "", frames[-1].width, frames[-1].height, _measured_fps(frames))
    except queue.Empty:
        raise SourceError(f"no picture within {timeout_s:g} s") from None
    finally:
        reader.stop(timeout_s)


def _measured_fps(pictures: Sequence[Picture | Frame]) -> float | None:
    times = [picture.pts_s for picture in pictures if picture.pts_s is not None]
    span_s = times[-1] - times[0] if times else 0.0
    return (len(times) - 1) / span_s if span_s > 0 else None
