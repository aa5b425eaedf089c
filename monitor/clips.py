"""The clips of one stream's alerts: what is kept for them, and the threads that write them, beside the reader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.ingest import PacketRing, write_clip
from monitor.messages import Clip, ClipRequest
from monitor.redact import one_line

_log = logging.getLogger("monitor.evidence")

_AT_ONCE = 4
"""Clips of one stream that are written at the same time: each holds its packets, though the ring has let them go."""


@dataclass(frozen=True, slots=True)
class RingPlan:
    """How much of a stream is kept in memory for clips."""

    seconds: float
    most_bytes: int


class ClipWriter:
    """Keeps a ring of packets, where there is a plan for one, and writes it to a file when asked.

    Args:
        plan: how much is kept; None: nothing is.
        clock: tells when packets arrive.
        on_clip: takes the answers; called from the threads that write, or from that of the asker.

    Attributes:
        ring: to be filled by the reader.
    """

    def __init__(self, plan: RingPlan | None, clock: Clock, on_clip: Callable[[Clip], None]) -> None:
        self.ring = None if plan is None else PacketRing(plan.seconds, plan.most_bytes, clock)
        self._on_clip = on_clip
        self._room = threading.Semaphore(_AT_ONCE)

    def write(self, request: ClipRequest) -> None:
        """Writes what the ring holds now. Returns at once."""
        if self.ring is None:
            self._answer(request, absence="nothing is kept of the stream")
            return
        if not self._room.acquire(blocking=False):
            self._answer(request, absence=f"{_AT_ONCE} others were being written")
            return
        try:
            cut = self.ring.cut()
            # A daemon: a disk that hangs shall not keep the process.
            writing = threading.Thread(
                target=self._write,
                args=(request, lambda: write_clip(cut, Path(request.stem))),
                name=f"clip-{request.stream}",
                daemon=True,
            )
            writing.start()
        except (SourceError, RuntimeError) as error:  # no packets, or no thread to be had
            self._room.release()
            self._answer(request, absence=str(error))

    def _write(self, request: ClipRequest, write: Callable[[], Path]) -> None:
        try:
            path = str(write())
        except SourceError as error:
            self._answer(request, absence=str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours costs the clip; whoever waits for it must hear
            _log.debug("%s: a clip cannot be written", request.stream, exc_info=True)
            self._answer(request, absence=f"internal error: {one_line(error)}")
        else:
            self._answer(request, path=path)
        finally:
            self._room.release()

    def _answer(self, request: ClipRequest, path: str | None = None, absence: str | None = None) -> None:
        self._on_clip(Clip(request.stream, request.number, path, absence))
