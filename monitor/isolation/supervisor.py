"""Keeps one stream's worker process alive: starts it, listens to it, and replaces it when it crashes or hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from monitor.answers import Answer, Request, unserved
from monitor.backoff import Backoff
from monitor.clock import Clock
from monitor.ingest import SourceStatus
from monitor.isolation.life import WorkerLife
from monitor.isolation.process import FromWorker, Report, Unable
from monitor.isolation.totals import nothing_yet, total
from monitor.logs import of_stream
from monitor.messages import BLOCK_S, Clip, Crop, Demand, Look, Preview, Reply, Tracked, TrackObservation
from monitor.processes import not_begun, supervise, usual_backoff
from monitor.processes.child import Logged
from monitor.worker import WorkerPlan, WorkerStatistics

_log = logging.getLogger("monitor.pipeline")

_KILLED_S = 0.3
"""For a killed process to be gone."""


class IsolatedWorker:
    """A stream's worker in a process of its own; the same to its owner as `worker.StreamWorker`.

    A process that ends uncalled for, falls silent, or is stuck in FFmpeg or in the face detector is replaced. Its
    tracks end with it, and the stream is `connecting`, with the reason, until the next one has found its way.

    Args:
        plan: what the worker is made of.
        new_prefix: begins the track ids of one process; never twice the same.
        clock: the pipeline's clock, which must be the monotonic one of all processes.
        on_message: takes crops, observations and previews; called from a thread of this object.
        on_status: takes changes of state; called from its threads.
        on_answer: takes the answers to `ask`; called from its threads and from that of the asker.
        backoff: how long to wait before a process is replaced, where that is not as usual.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        *,
        new_prefix: Callable[[], str],
        clock: Clock,
        on_message: Callable[[Tracked], None],
        on_status: Callable[[SourceStatus], None],
        on_answer: Callable[[Answer], None] = lambda _: None,
        backoff: Backoff | None = None,
    ) -> None:
        self.stream = plan.stream.name
        self._log = of_stream(_log, self.stream)
        self._plan = plan
        self._new_prefix = new_prefix
        self._clock = clock
        self._on_message = on_message
        self._on_status = on_status
        self._on_answer = on_answer
        self._backoff = backoff or usual_backoff()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"supervise-{self.stream}", daemon=True)
        self._lock = threading.Lock()  # guards `_life` and `_awaited`
        self._life: WorkerLife | None = None
        self._awaited: dict[int, Request] = {}
        # Written by the thread that receives, and once that has ended by the one that supervises.
        self._tracks: dict[str, TrackObservation] = {}
        self._status = SourceStatus(self.stream, "connecting", clock.now_s(), None)
        self._logged: str | None = None
        self._counts = nothing_yet(), nothing_yet()  # of former processes and of this one
        self._failure: str | None = None
        self._restarts = 0
        self._unsent = 0

    def start(self) -> None:
        """Starts the process, and others after it where needed. Returns at once."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Asks the process to end in good form; one that has not begun to work is ended. Returns at once."""
        self._stopping.set()
        with self._lock:
            if self._life is not None:
                self._life.dismiss()

    def join(self, deadline_s: float) -> bool:
        """Waits for the process, which was asked to stop, and kills it where it takes too long.

        Args:
            deadline_s: until when, on `time.monotonic`.

        Returns:
            False where it had to be killed.
        """
        if not self._thread.is_alive():
            return True
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        if not self._thread.is_alive():
            return True
        with self._lock:
            if self._life is None:  # the fork server is still at its imports: what it makes then is dismissed
                return True
            self._life.kill("it does not end in time")
        self._log.warning("its process does not end in time and is killed")
        self._thread.join(_KILLED_S)
        return False

    def demand(self, demand: Demand) -> None:
        """Passes decision's wish on to the sampler; drops it where the process does not listen. Never blocks."""
        with self._lock:
            if self._life is not None:
                self._unsent += not self._life.send(demand)

    def look(self, look: Look) -> None:
        """Has previews of the stream made, for as long as somebody looks. Never blocks."""
        with self._lock:
            if self._life is not None:
                self._unsent += not self._life.send(look)

    def ask(self, request: Request) -> None:
        """Passes a request on to the process; where that ends before it answers, this is the answer. Never blocks."""
        with self._lock:
            if self._life is not None:
                self._awaited[request.number] = request
                self._unsent += not self._life.send(request)
                return
        self._on_answer(unserved(request, "the stream's process was being replaced"))

    @property
    def failure(self) -> str | None:
        """Why analysing, or else cropping, fails or hangs, as of the last report; None while both work."""
        return self._failure

    @property
    def pid(self) -> int | None:
        """The process that lives now."""
        with self._lock:
            return None if self._life is None else self._life.pid

    def statistics(self) -> WorkerStatistics:
        """A snapshot, as of the last report; counts go on over restarts."""
        return replace(total(*self._counts), restarts=self._restarts, unsent=self._unsent)

    # --- the thread that supervises ---

    def _supervise(self) -> None:
        supervise(self._live, self._ended, self._stopping, self._backoff, self._log)
        if self._status.state != "stopped":
            self._tell(SourceStatus(self.stream, "stopped", self._clock.now_s(), None))

    def _ended(self, reason: str, _: bool) -> bool:
        """A process has ended; returns whether another is wanted."""
        if self._stopping.is_set():
            return False  # what it knew of its tracks is their owner's to end
        self._bury()
        if self._status.state == "stopped":
            return False  # a recording that has ended is not played again
        self._restarts += 1
        self._become_connecting(f"{reason}; another is started")
        return True

    def _live(self) -> str:
        """Starts a process and stays with it to its end; returns why that came."""
        level = logging.getLogger("monitor").getEffectiveLevel()
        try:
            life = WorkerLife.of(self._plan, self._new_prefix(), level)
        except (OSError, EOFError) as error:
            return not_begun(error)

        def turn(lives: bool) -> None:
            with self._lock:
                self._life = life if lives else None
                if lives and self._stopping.is_set():
                    life.dismiss()

        life.accompany(lambda message: self._take(message, life), turn, name=f"receive-{self.stream}")
        self._give_up_requests()
        return life.end

    def _give_up_requests(self) -> None:
        with self._lock:
            awaited, self._awaited = self._awaited, {}
        for request in awaited.values():
            self._on_answer(unserved(request, "the stream's process ended before it was done"))

    def _bury(self) -> None:
        """Ends the tracks of a process that can no longer do so, and adds its counts to those of its forerunners."""
        at_s = self._clock.now_s()
        for last in self._tracks.values():
            block = int(at_s // BLOCK_S)
            self._on_message(replace(last, at_s=at_s, block=block, present_s=0.0, sampled=0, gated={}, ended=True))
        self._tracks.clear()
        self._counts = total(*self._counts), nothing_yet()
        self._failure = None

    # --- the thread that receives ---

    def _take(self, message: FromWorker | Logged, life: WorkerLife) -> None:
        match message:
            case Crop():
                self._tracks.setdefault(message.track, _unobserved(message))
                self._on_message(message)
            case TrackObservation():
                if message.ended:
                    self._tracks.pop(message.track, None)
                else:
                    self._tracks[message.track] = message
                self._on_message(message)
            case Preview():
                self._on_message(message)
            case SourceStatus():
                self._take_status(message)
            case Clip() | Reply():
                with self._lock:
                    self._awaited.pop(message.number, None)
                self._on_answer(message)
            case Report():
                self._counts, self._failure = (self._counts[0], message.statistics), message.failure
                life.examine(message.statistics)
            case Logged():
                message.write(self.stream)
            case Unable():
                life.last_words = message.reason

    def _take_status(self, status: SourceStatus) -> None:
        # A new process begins with `connecting`: what happened to the old one says more.
        if (status.state, status.reason) == ("connecting", None) and self._status.state == "connecting":
            return
        if status.state == "live":
            self._logged = None
        if status.state == self._status.state:
            status = replace(status, since_s=self._status.since_s)  # longer than this process lives
        self._tell(status)

    def _become_connecting(self, reason: str) -> None:
        since_s = self._status.since_s if self._status.state == "connecting" else self._clock.now_s()
        self._tell(SourceStatus(self.stream, "connecting", since_s, reason))
        if reason != self._logged:
            self._logged = reason
            self._log.warning("connecting, %s", reason)

    def _tell(self, status: SourceStatus) -> None:
        self._status = status
        self._on_status(status)


def _unobserved(crop: Crop) -> TrackObservation:
    """What is known of a track whose first second is not over."""
    nowhere = (0.0, 0.0, 0.0, 0.0)
    return TrackObservation(
        crop.stream, crop.track, crop.at_s, int(crop.at_s // BLOCK_S), 0.0, 0, {}, nowhere, first_seen_s=crop.at_s
    )
