"""Where a stream stands: told to whoever watches it, and logged once per change."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from monitor.clock import Clock
from monitor.ingest.tally import Tally
from monitor.logs import of_stream
from monitor.messages import StreamState
from monitor.redact import Redactor

logger = logging.getLogger("monitor.ingest")

_NEXT_LINE_S = 60.0
"""A state that lasts is explained again, where the reason has changed, but not sooner."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Where a stream stands."""

    stream: str
    state: StreamState
    since_s: float
    """When it came into this state, on the pipeline's clock."""
    reason: str | None
    """Why it is not live, in one line without credentials."""


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """Figures of one stream since it was started."""

    state: StreamState
    fps: float
    """Frames that came per second, decoded or not, over the last seconds."""
    frames: int
    """Frames decoded, wanted or not."""
    distrusted: int
    """Frames that may be damaged."""
    unwanted: int
    """Frames not handed on because `wanted` said so."""
    packets_corrupt: int
    decode_errors: int
    bytes: int
    reconnects: int
    """Times it was tried to open the stream again."""
    abandoned: int
    """Threads left behind inside FFmpeg."""
    stalls: int = 0
    """Times that frames stopped coming on a connection."""
    crashed: int = 0
    """Reading threads that died and were replaced."""
    outrun: int = 0
    """Pictures over WebRTC that were lost because the decoder was too slow."""
    skipped: int = 0
    """Frames left undecoded because nothing needed them."""
    decode_s: float = 0.0
    """Processor seconds spent decoding."""
    degraded: str | None = None
    """What is amiss though it is live, in one line without credentials."""
    substream: ReaderStatistics | None = None
    """Of the stream on which faces are found, where that is another one."""

    @property
    def whole_decode_s(self) -> float:
        """Processor seconds spent decoding, a substream included."""
        return self.decode_s + (0.0 if self.substream is None else self.substream.decode_s)

    @classmethod
    def of(cls, tally: Tally, state: StreamState, now_s: float, *, abandoned: int, stalls: int, crashed: int) -> Self:
        """What a reader has counted, with how it stands at `now_s` on its clock."""
        return cls(
            state=state,
            fps=tally.fps(now_s),
            frames=tally.frames,
            distrusted=tally.distrusted,
            unwanted=tally.unwanted,
            packets_corrupt=tally.packets_corrupt,
            decode_errors=tally.decode_errors,
            bytes=tally.bytes,
            reconnects=max(0, tally.connections - 1),
            abandoned=abandoned,
            stalls=stalls,
            crashed=crashed,
            outrun=tally.outrun,
            skipped=tally.skipped,
            decode_s=tally.decode_s,
        )


class Standing:
    """The state of one stream. Its owner sees to it that one thread at a time changes it.

    Args:
        name: of the stream.
        clock: tells since when.
        on_status: takes every change of state, and of the reason for it.
        redact: takes the stream's secrets out of what is told.
        reason: why it is not live at the beginning.
        may_wait: whether `connecting` is nothing to warn of.
        label: what of the stream it is the state of, for the log; None: of all of it.

    Attributes:
        stalls: how often it has stalled.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        on_status: Callable[[SourceStatus], None],
        redact: Redactor,
        *,
        reason: str | None = None,
        may_wait: bool = False,
        label: str | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._on_status = on_status
        self._redact = redact
        self._may_wait = may_wait
        self._label = "" if label is None else f"{label}: "
        self.stalls = 0
        self._status = SourceStatus(name, "connecting", clock.now_s(), reason)
        self._logged: set[str | None] = set()
        self._logged_s = clock.now_s()

    @property
    def state(self) -> StreamState:
        """The state now; may be asked for from any thread."""
        return self._status.state

    def become(self, state: StreamState, reason: str | None, error: Exception | None = None) -> None:
        """Changes state and reason."""
        reason = None if reason is None else self._redact(reason)
        before = self._status
        if (state, reason) != (before.state, before.reason):
            since_s = before.since_s
            if state != before.state:
                since_s = self._clock.now_s()
                self._logged.clear()
            self._status = SourceStatus(self._name, state, since_s, reason)
        self._log(error)
        if self._status is not before:
            self.announce()

    def note_silence(self, silent_s: float, stall_s: float) -> None:
        """Becomes `stalled` where it is live and its frames have been overdue for longer than `stall_s`."""
        if self.state == "live" and silent_s > stall_s:
            self.stalls += 1
            self.become("stalled", f"no frame for {stall_s:g} s")

    def announce(self) -> None:
        """Tells how it stands now."""
        try:
            self._on_status(self._status)
        except Exception as error:  # noqa: BLE001 - the callback's fault must not silence the stream
            logger.error(self._redact(f"{self._name}: status '{self._status.state}' not taken: {error!r}"))  # noqa: TRY400

    def _log(self, error: Exception | None) -> None:
        """One line per change of state; where a state lasts, more for other reasons, but each once and none soon."""
        state, reason, now_s = self._status.state, self._status.reason, self._clock.now_s()
        if reason in self._logged or (self._logged and now_s - self._logged_s < _NEXT_LINE_S):
            return
        self._logged.add(reason)
        self._logged_s = now_s
        well = state in {"live", "stopped"} or (state == "connecting" and self._may_wait)
        level = logging.INFO if well else logging.WARNING
        of_stream(logger, self._name).log(level, f"{self._label}{state}{f', {reason}' if reason else ''}")
        if error is not None:
            logger.debug(self._redact("".join(traceback.format_exception(error))))
