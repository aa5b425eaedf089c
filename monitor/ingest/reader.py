"""Keeps one stream alive: a thread that reads it, and one that watches the first.

FFmpeg cannot be interrupted from outside while it waits for data, and its own time-outs come late or, in some
system calls, never. So the state of a stream is not left to the thread that reads to tell: the other one sees
that frames are overdue, and a thread that does not come back at all is left behind and replaced, as is one that
has died.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from monitor.added_stream import bound_of
from monitor.clock import Clock
from monitor.errors import SourceError
from monitor.ingest.depth import Needs
from monitor.ingest.feed import LOST_STALLS, Feed
from monitor.ingest.retry import Patience, Retry
from monitor.ingest.ring import PacketRing
from monitor.ingest.status import ReaderStatistics, SourceStatus, Standing, logger
from monitor.ingest.tally import Tally
from monitor.ingest.turn import Turn, TurnOver
from monitor.ingest.way import Way
from monitor.messages import Frame, StreamState
from monitor.reach import Resolve, addresses_of
from monitor.redact import Redactor, url_secrets
from monitor.stream_config import StreamConfig

_MOST_LEFT_BEHIND = 3
"""Threads that may be stuck at the same time: past that, the stream waits for one of them to return."""

DEFAULT_PATIENCE = Patience()


class Reader:
    """Reads one stream for ever and hands its frames on.

    The callbacks are called from the reader's threads, statuses one at a time and in order. `on_frame` holds
    reading up, so it should take the frame and return. One that raises costs the connection, not the reader.

    Args:
        config: what to read.
        on_frame: takes every frame that is wanted.
        on_status: takes every change of state, and of the reason for it. Must not call `stop`.
        clock: tells when frames arrive.
        wanted: asked with a frame's `at_s` before it is handed on; all are wanted without it.
        patience: how long to wait for what.
        ring: keeps the packets of the last seconds; None: none are kept.
        resolve: looks hosts up, where the stream may not lead everywhere.
        needs: what is needed of the pictures, others being left undecoded; None: all of them.
        label: what it is called in the log and in its threads' names, where it reads a part of the stream.
    """

    def __init__(
        self,
        config: StreamConfig,
        *,
        on_frame: Callable[[Frame], None],
        on_status: Callable[[SourceStatus], None],
        clock: Clock,
        wanted: Callable[[float], bool] | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        ring: PacketRing | None = None,
        resolve: Resolve = addresses_of,
        needs: Needs | None = None,
        label: str | None = None,
    ) -> None:
        self._config = config
        self._called = config.name if label is None else f"{config.name}-{label}"
        self._way = Way(config, resolve)
        self._patience = patience
        self._clock = clock
        self._tally = Tally()
        self._feed = Feed(
            config,
            on_frame=on_frame,
            on_picture=self._alive,
            wanted=wanted,
            clock=clock,
            tally=self._tally,
            open_s=patience.open_s,
            untrusted_s=patience.untrusted_s,
            ring=ring,
            way=self._way,
            needs=needs,
        )
        redact = Redactor(url_secrets(config.url.get_secret_value()))
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{self._called}", daemon=True)

        # Guards what follows, and puts statuses in order.
        self._lock = threading.RLock()
        self._standing = Standing(self.name, clock, on_status, redact, label=label)
        self._turn = Turn(clock)
        self._thread: threading.Thread | None = None
        self._left_behind: list[threading.Thread] = []
        self._abandoned = 0
        self._crashed = 0

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self._config.name

    def start(self) -> None:
        """Starts to read, once. Returns at once; what comes of it is told to `on_status`."""
        with self._lock:
            self._standing.announce()
            self._take_turn()
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Ends reading, and leaves it to `stop` to wait for that."""
        self._stopping.set()
        with self._lock:
            self._turn.over.set()

    def stop(self, timeout_s: float) -> bool:
        """Ends reading and waits for that.

        Returns:
            False where the thread does not come back in time: it is left behind with a warning, and can no
            longer call back.
        """
        deadline_s = self._clock.now_s() + timeout_s
        self.ask_to_stop()
        with self._lock:
            thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        self._watcher.join(max(0.0, deadline_s - self._clock.now_s()))
        stuck = thread.is_alive()
        with self._lock:
            if stuck:
                self._abandoned += 1
                logger.warning(f"{self._called}: reading does not end in time; its thread is left behind")
            if self._standing.state != "stopped":
                self._standing.become("stopped", None)
        return not stuck

    def statistics(self) -> ReaderStatistics:
        """A snapshot; may be asked for from any thread."""
        return ReaderStatistics.of(
            self._tally,
            self._standing.state,
            self._clock.now_s(),
            abandoned=self._abandoned,
            stalls=self._standing.stalls,
            crashed=self._crashed,
        )

    # --- the thread that reads ---

    def _take_turn(self) -> None:
        """Puts a new thread in charge."""
        turn = Turn(self._clock)
        # A daemon, so that one stuck inside FFmpeg does not keep the process from ending.
        thread = threading.Thread(target=self._read, args=(turn,), name=f"read-{self._called}", daemon=True)
        thread.start()
        self._turn, self._thread = turn, thread

    def _read(self, turn: Turn) -> None:
        """Connects again and again, until a recording has ended or the turn is over."""
        try:
            self._read_on(turn)
        except TurnOver:
            return
        except BaseException as error:  # noqa: BLE001 - there is nobody above; the watching thread tells of it
            turn.died_of = f"{type(error).__name__}: {error}"

    def _read_on(self, turn: Turn) -> None:
        retry = Retry(
            self._config.url.get_secret_value(),
            self._patience,
            self._clock,
            on_absence=lambda turn, reason: self._change(turn, "connecting", reason),
            way=self._way if bound_of(self._config) is not None else None,
        )
        while True:
            began_s, frames_before = self._clock.now_s(), self._tally.frames
            failure: Exception
            try:
                end = self._feed.run(turn)
            except SourceError as error:
                failure = error
                self._change(turn, "connecting", str(error))
            except TurnOver:
                raise
            except Exception as error:  # noqa: BLE001 - a callback's fault, or ours, must not silence the stream
                failure = error
                self._change(turn, "connecting", f"internal error: {type(error).__name__}: {error}", error)
            else:
                self._change(turn, "stopped", end)
                return
            tried_s = self._clock.now_s() - began_s
            retry.wait(turn, failure, tried_s=tried_s, pictures=self._tally.frames - frames_before)

    def _alive(self, turn: Turn) -> None:
        if self._standing.state != "live":
            self._change(turn, "live", None)

    # --- the thread that watches ---

    def _watch(self) -> None:
        while not self._stopping.wait(min(1.0, self._config.stall_s / 4)):
            with self._lock:
                if self._stopping.is_set() or self._standing.state == "stopped":
                    return
                try:
                    self._look()
                except Exception as error:  # noqa: BLE001 - no memory, no thread to be had: the next look may do better
                    self._standing.become("connecting", f"internal error: {type(error).__name__}: {error}", error)

    def _look(self) -> None:
        stuck_s = self._patience.stuck_s + LOST_STALLS * self._config.stall_s
        self._note_silence()
        if self._thread is not None and not self._thread.is_alive():
            self._replace_dead()
        elif len(self._left_behind) < _MOST_LEFT_BEHIND and self._turn.end_if_stuck(stuck_s):
            self._leave_behind(stuck_s)
        self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]

    def _replace_dead(self) -> None:
        if not self._turn.over.is_set():  # it may take several looks until a new thread can be had
            self._turn.over.set()
            self._crashed += 1
            self._standing.become("connecting", f"the reading thread died of {self._turn.died_of}; begun again")
        self._take_turn()

    def _leave_behind(self, stuck_s: float) -> None:
        if self._thread is not None and self._thread not in self._left_behind:  # or no new one could be had before
            self._left_behind.append(self._thread)
            self._abandoned += 1
        reason = f"FFmpeg has not returned for {stuck_s:g} s; its thread is left behind, {self._abandoned} so far"
        self._standing.become("connecting", reason)
        self._take_turn()

    # --- states ---

    def _note_silence(self) -> None:
        self._standing.note_silence(self._turn.silent_s(), self._config.stall_s)

    def _change(self, turn: Turn, state: StreamState, reason: str | None, error: Exception | None = None) -> None:
        """Changes the state, if it is that turn's to change."""
        with self._lock:
            turn.check()
            if state == "connecting":
                self._note_silence()  # where a connection ends for its silence before the other thread has looked
            self._standing.become(state, reason, error)
