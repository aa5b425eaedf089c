"""Reads a camera's two streams: faces are found on the small one, and cut out of the main one.

The state of the stream is the main one's. Where the small one cannot be had, or does not show the same, everything is
done on the main one until it can.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from monitor.clock import Clock
from monitor.ingest.depth import Needs
from monitor.ingest.paired import PairedFrame, misfit
from monitor.ingest.reader import DEFAULT_PATIENCE, Reader
from monitor.ingest.retry import Patience
from monitor.ingest.ring import PacketRing
from monitor.ingest.status import ReaderStatistics, SourceStatus, logger
from monitor.logs import of_stream
from monitor.messages import Frame, StreamState
from monitor.stream_config import StreamConfig

_LABEL = "detect_url"
_MEANWHILE = "faces are searched on the main stream meanwhile"
_LOOK_S = 10.0
"""A main picture is decoded so often though none is needed: a stream that cannot be decoded is not live."""
_EARLY = 0.25
"""Share of the time between analyses by which a main picture may be early."""


class PairedReader:
    """Reads two streams as one.

    Args:
        config: the main stream.
        small: the small one, as `StreamConfig.substream` gives it.
        on_frame: takes what is to be analysed: `PairedFrame`s, or else frames of the main stream; one at a time, in
            order of `at_s`.
        on_status: takes every change of state of the main stream.
        clock: tells when frames arrive.
        wanted: asked with a frame's `at_s` whether one of this time is to be analysed.
        needs: what is needed of the pictures that are analysed. `crops_per_s` is asked for the main stream, while faces
            are found on the small one.
        crop_due: whether a crop will be due by the next analysis: else the main stream's pictures are of no use.
        ring: keeps the packets of the main stream's last seconds; None: none are kept.
        patience: how long to wait for what.
    """

    def __init__(
        self,
        config: StreamConfig,
        small: StreamConfig,
        *,
        on_frame: Callable[[Frame], None],
        on_status: Callable[[SourceStatus], None],
        clock: Clock,
        wanted: Callable[[float], bool],
        needs: Needs,
        crop_due: Callable[[], bool],
        ring: PacketRing | None = None,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self._log = of_stream(logger, config.name)
        self._on_frame = on_frame
        self._on_status = on_status
        self._wanted = wanted
        self._needs = needs
        self._crop_due = crop_due
        self._detail_every_s = (1 - _EARLY) / needs.analysis_fps
        # Guards what follows, and that frames are handed on in order.
        self._lock = threading.Lock()
        self._main_state: StreamState = "connecting"
        self._small_status = SourceStatus(config.name, "connecting", clock.now_s(), None)
        self._newest: Frame | None = None
        self._misfit: str | None = None
        self._handed_s = -math.inf
        self._main = Reader(
            config,
            on_frame=self._take_main,
            on_status=self._main_is,
            clock=clock,
            wanted=self._main_wanted,
            ring=ring,
            needs=replace(needs, crops_per_s=self._crops_per_s),
            patience=patience,
        )
        self._small = Reader(
            small,
            on_frame=self._take_small,
            on_status=self._small_is,
            clock=clock,
            wanted=wanted,
            needs=replace(needs, crops_per_s=lambda: math.inf),
            patience=patience,
            label=_LABEL,
        )

    def start(self) -> None:
        """Starts to read both, once. Returns at once."""
        self._main.start()
        self._small.start()

    def ask_to_stop(self) -> None:
        """Ends reading, and leaves it to `stop` to wait for that."""
        self._small.ask_to_stop()
        self._main.ask_to_stop()

    def stop(self, timeout_s: float) -> bool:
        """Ends reading and waits for that; False where a thread is left behind."""
        deadline_s = time.monotonic() + timeout_s
        self.ask_to_stop()
        main = self._main.stop(timeout_s)
        return self._small.stop(max(0.0, deadline_s - time.monotonic())) and main

    def statistics(self) -> ReaderStatistics:
        """A snapshot of the main stream's, with the small one's; may be asked for from any thread."""
        main, small = self._main.statistics(), self._small.statistics()
        return replace(
            main,
            abandoned=main.abandoned + small.abandoned,
            degraded=self._amiss() if main.state == "live" else None,
            substream=small,
        )

    def _amiss(self) -> str | None:
        """Why faces are not found on the small stream, in one line."""
        status, why = self._small_status, self._misfit
        if status.state != "live":
            if status.state == "connecting" and status.reason is None:
                return None  # it has just been begun with
            why = status.state if status.reason is None else f"{status.state}, {status.reason}"
        return None if why is None else f"{_LABEL}: {why}; {_MEANWHILE}"

    @property
    def _paired(self) -> bool:
        """Whether faces are found on the small stream now."""
        return self._small_status.state == "live" and self._misfit is None

    def _crops_per_s(self) -> float:
        return self._needs.crops_per_s() if self._paired else math.inf

    # --- the main stream's threads ---

    def _main_is(self, status: SourceStatus) -> None:
        self._main_state = status.state
        self._on_status(status)
        if status.state == "stopped":
            self._small.ask_to_stop()  # a recording has ended

    def _main_wanted(self, at_s: float) -> bool:
        newest = self._newest
        if not self._paired:
            return self._wanted(at_s)
        if newest is None or self._main_state != "live":
            return True
        return at_s - newest.at_s >= (self._detail_every_s if self._crop_due() else _LOOK_S)

    def _take_main(self, frame: Frame) -> None:
        with self._lock:
            self._newest = frame
            if not self._paired:
                self._hand_on(frame)

    # --- the small stream's threads ---

    def _small_is(self, status: SourceStatus) -> None:
        self._small_status = status

    def _take_small(self, frame: Frame) -> None:
        with self._lock:
            main = self._newest
            # What is not live is not watched, whatever the small stream shows.
            if main is None or self._main_state != "live":
                return
            self._judge(misfit(frame, main))
            if self._misfit is None:
                self._hand_on(PairedFrame(frame, main))

    def _judge(self, why: str | None) -> None:
        if why != self._misfit and why is not None:
            self._log.warning("%s: %s; %s", _LABEL, why, _MEANWHILE)
        elif why != self._misfit:
            self._log.info("%s: its pictures fit again", _LABEL)
        self._misfit = why

    def _hand_on(self, frame: Frame) -> None:
        if frame.at_s > self._handed_s:  # at a change from one stream to the other both may have one
            self._handed_s = frame.at_s
            self._on_frame(frame)
