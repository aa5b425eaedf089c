"""One stream's worker: its reader, the newest frame, and the thread that analyses it.

A frame never leaves here. What does is serialisable, and so is the plan by which a worker is made: `isolation` puts
each into a process of its own.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from gend.faces import FaceDetector
from monitor.answers import Answer, Request, unserved
from monitor.clips import ClipWriter, RingPlan
from monitor.clock import Clock
from monitor.config import FacesConfig
from monitor.ingest import Needs, ReaderStatistics, SourceStatus, TakesPublishers, new_reader
from monitor.logs import of_stream
from monitor.messages import ClipRequest, Demand, Frame, Look, Pixels, Tracked
from monitor.redact import one_line
from monitor.stream_config import StreamConfig
from monitor.tracking import Tracking, TrackingStatistics
from monitor.webrtc_config import WebRtcConfig

_log = logging.getLogger("monitor.pipeline")

_POLL_S = 0.25
_HANGS_S = 10.0
"""What takes a tenth of a second on a slow machine has not returned for so long: then it is said to hang."""


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A snapshot of one stream's worker."""

    reader: ReaderStatistics
    tracking: TrackingStatistics
    superseded: int
    """Frames due for analysis that a newer one replaced before their turn came."""
    failures: int
    """Analyses that raised; crops that did are among tracking's `gated`."""
    analysing_s: float = 0.0
    """How long the analysis in progress has taken so far."""
    restarts: int = 0
    """Times its process had to be replaced, having crashed or hung."""
    unsent: int = 0
    """Demands, looks and requests that its process did not take."""
    cpu_s: float = 0.0
    """Seconds of processor time of its process; 0 where it has none of its own."""
    memory_bytes: int = 0
    """Of its process, now, what it shares with others included; 0 where it has none of its own, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What a worker is made of. Everything in it can be pickled, so that the worker can be made in another process.

    Attributes:
        stream: what is read.
        faces: how faces are found and chosen.
        new_face_detector: makes the detector, in the process that will use it.
        prepare: turns an aligned crop uint8 (h, w, 3) into the encoder's input (S, S, 3).
        ring: what is kept of the stream for the clips of alerts; None: nothing.
        webrtc: how publishers reach it, where it has any.
    """

    stream: StreamConfig
    faces: FacesConfig
    new_face_detector: Callable[[], FaceDetector]
    prepare: Callable[[Pixels], Pixels]
    ring: RingPlan | None = None
    webrtc: WebRtcConfig = field(default_factory=WebRtcConfig)

    def tracking(self, track_ids: Iterator[str]) -> Tracking:
        """The stream's tracking. Raises GendError where the face detector cannot be had."""
        return Tracking(
            self.stream.name,
            self.faces,
            self.stream.ignore,
            self.new_face_detector(),
            prepare=self.prepare,
            track_ids=track_ids,
        )


def track_ids(prefix: str) -> Iterator[str]:
    """Identifiers `<prefix>-1`, `<prefix>-2` and so on."""
    return map(f"{prefix}-{{}}".format, itertools.count(1))


class _NewestFrame:
    """Holds one frame; a newer one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self.superseded = 0

    def put(self, frame: Frame) -> None:
        with self._changed:
            self.superseded += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        with self._changed:
            if self._frame is None:
                self._changed.wait(timeout_s)
            frame, self._frame = self._frame, None
            return frame


class StreamWorker:
    """Reads, follows and samples one stream in threads of its own.

    Args:
        config: the stream.
        tracking: follows its faces; used by the analysis thread alone, except for `demand`.
        clock: the pipeline's clock.
        on_message: takes crops, observations and previews; called from the analysis thread.
        on_status: takes the reader's changes of state; called from its threads.
        webrtc: how publishers reach it, where it has any.
        ring: what is kept for clips; None: nothing.
        on_answer: takes the answers to `ask`; called from other threads.
    """

    def __init__(
        self,
        config: StreamConfig,
        tracking: Tracking,
        clock: Clock,
        *,
        on_message: Callable[[Tracked], None],
        on_status: Callable[[SourceStatus], None],
        webrtc: WebRtcConfig | None = None,
        ring: RingPlan | None = None,
        on_answer: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        self.stream = config.name
        self._log = of_stream(_log, self.stream)
        self._clips = ClipWriter(ring, clock, on_answer)
        self._on_answer = on_answer
        self._tracking = tracking
        self._clock = clock
        self._on_message = on_message
        self._newest = _NewestFrame()
        self._stopping = threading.Event()
        self._failures = 0
        self._failure: str | None = None
        self._began_s: float | None = None  # the analysis in progress
        self._reader = new_reader(
            config,
            on_frame=self._newest.put,
            on_status=on_status,
            clock=clock,
            wanted=tracking.due,
            ring=self._clips.ring,
            webrtc=webrtc or WebRtcConfig(),
            on_reply=on_answer,
            needs=Needs(
                tracking.faces.analysis_fps,
                tracking.faces.idle_blind_max_s,
                lambda: tracking.quiet_s,
            ),
            crops_per_s=lambda: tracking.statistics().demanded_per_s,
            crop_due=lambda: tracking.statistics().crop_due,
        )
        self._thread = threading.Thread(target=self._analyse, name=f"track-{self.stream}", daemon=True)

    def start(self) -> None:
        """Starts both threads."""
        self._thread.start()
        self._reader.start()

    def ask_to_stop(self) -> None:
        """Lets both threads end, and returns at once: many workers are asked before the first is waited for."""
        self._stopping.set()
        self._reader.ask_to_stop()

    def join(self, deadline_s: float) -> bool:
        """Waits for both threads, which were asked to stop.

        Args:
            deadline_s: until when, on `time.monotonic`.

        Returns:
            False where one is still blocked then: it is left behind with a warning.
        """
        read = self._reader.stop(max(0.0, deadline_s - time.monotonic()))
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        analysed = not self._thread.is_alive()
        if not analysed:
            self._log.warning("the analysis is still busy; its thread is left behind")
        return read and analysed

    def demand(self, demand: Demand) -> None:
        """Passes decision's wish on to the sampler."""
        self._tracking.demand(demand)

    def look(self, look: Look) -> None:
        """Has previews of the stream made, for as long as somebody looks."""
        self._tracking.look(look)

    def ask(self, request: Request) -> None:
        """Sees to a request. Returns at once; the answer goes to `on_answer`."""
        if isinstance(request, ClipRequest):
            self._clips.write(request)
        elif isinstance(self._reader, TakesPublishers):
            self._reader.publish(request)
        else:
            self._on_answer(unserved(request, "nobody can publish to it"))

    @property
    def failure(self) -> str | None:
        """Why analysing, or else cropping, fails or hangs, in one line without credentials; None while both work."""
        if self.hang is not None:
            return self.hang
        if self._failure is not None:
            return f"analysis fails: {self._failure}"
        cropping = self._tracking.statistics().failure
        return None if cropping is None else f"cropping fails: {cropping}"

    @property
    def hang(self) -> str | None:
        """That the analysis in progress takes far too long; the thread that hangs cannot say so itself."""
        if self._analysing_s() <= _HANGS_S:
            return None
        return f"analysis hangs: a frame has taken more than {_HANGS_S:.0f} s"

    def statistics(self) -> WorkerStatistics:
        """A snapshot of reader and tracking."""
        return WorkerStatistics(
            self._reader.statistics(),
            self._tracking.statistics(),
            self._newest.superseded,
            self._failures,
            self._analysing_s(),
        )

    def _analysing_s(self) -> float:
        began_s = self._began_s
        return 0.0 if began_s is None else self._clock.now_s() - began_s

    def _analyse(self) -> None:
        self._attempt(self._warmed_up)  # while the connection is made
        analysed_s, told = self._clock.now_s(), False
        while not self._stopping.is_set():
            frame = self._newest.take(_POLL_S)
            if frame is not None and self._attempt(partial(self._tracking.process, frame)):
                analysed_s, self._failure = self._clock.now_s(), None
            # Also while frames come: where none of them can be analysed, nobody is seen any more.
            now_s = self._clock.now_s()
            if now_s - analysed_s > self._tracking.lifetime_s and self._attempt(partial(self._tracking.flush, now_s)):
                analysed_s = now_s
            told = self._tell(self.failure, told=told)

    def _warmed_up(self) -> Sequence[Tracked]:
        self._tracking.warm_up()
        return ()

    def _attempt(self, step: Callable[[], Sequence[Tracked]]) -> bool:
        """Takes one step and passes on what comes of it; False if it raised. Nothing may end the thread."""
        self._began_s = self._clock.now_s()
        try:
            for message in step():
                self._on_message(message)
        except Exception as error:  # noqa: BLE001 - whatever a detector makes of a hostile picture
            self._failures += 1
            if self._failure is None:
                self._failure = one_line(error)
                self._log.debug("analysis fails", exc_info=True)
            return False
        finally:
            self._began_s = None
        return True

    def _tell(self, failure: str | None, *, told: bool) -> bool:
        """Logs that a failure begins or is over; returns whether one lasts."""
        if failure is not None and not told:
            self._log.warning("%s", failure)
        elif failure is None and told:
            self._log.info("analysis works again")
        return failure is not None
