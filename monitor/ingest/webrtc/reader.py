"""What readers of streams over WebRTC have in common: one session at a time, and a watch over its frames.

ICE tells of a tab that was closed after half a minute. So frames are watched: where none has come for `stall_s`, the
stream is stalled, and who was sending makes way for another.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from monitor.clock import Clock
from monitor.ingest.ring import PacketRing
from monitor.ingest.status import ReaderStatistics, SourceStatus, Standing, logger
from monitor.ingest.tally import Tally
from monitor.ingest.turn import Turn
from monitor.ingest.webrtc.loop import LoopThread
from monitor.ingest.webrtc.session import Receiver, Session
from monitor.messages import Frame, StreamState
from monitor.redact import Redactor, one_line, url_secrets
from monitor.stream_config import PUBLISHED, StreamConfig
from monitor.webrtc_config import WebRtcConfig

_LOOK_S = 0.25
_FIRST_PICTURE_S = 15.0
"""For a connection to bring its first picture; ICE and DTLS take a second, or are in vain."""
_LOST_S = 30.0
"""Silence after which a connection is given up, if ICE has not done so before."""
_STUCK_S = 60.0
"""For the decoder to return: then the process is replaced."""


class PeerReader(ABC):
    """Receives one stream for ever and hands its frames on; the same to its owner as `reader.Reader`.

    Args:
        config: what to receive.
        webrtc: how the other end finds us.
        on_frame: takes every frame that is wanted.
        on_status: takes every change of state, and of the reason for it. Must not call `stop`.
        clock: tells when frames arrive.
        wanted: asked with a frame's `at_s` before it is handed on; all are wanted without it.
        ring: keeps the packets of the last seconds; None: none are kept.
        reason: why it is not live at the beginning.
    """

    def __init__(
        self,
        config: StreamConfig,
        webrtc: WebRtcConfig,
        *,
        on_frame: Callable[[Frame], None],
        on_status: Callable[[SourceStatus], None],
        clock: Clock,
        wanted: Callable[[float], bool] | None = None,
        ring: PacketRing | None = None,
        reason: str | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._tally = Tally()
        self._receiver = Receiver(config, webrtc, on_frame, self._alive, wanted, clock, self._tally, ring)
        self._loop = LoopThread(f"webrtc-{config.name}", webrtc.ports)
        self._stopping = threading.Event()
        self._asked_to_stop = asyncio.Event()
        self._session: Session | None = None
        self._ended: list[Session] = []  # whose decoders may still be busy
        self._abandoned = self._crashed = 0
        token = [] if config.token is None else [config.token.get_secret_value()]
        redact = Redactor([*token, *url_secrets(config.url.get_secret_value())])
        self._lock = threading.RLock()  # puts statuses in order
        may_wait = config.scheme == PUBLISHED
        self._standing = Standing(config.name, clock, on_status, redact, reason=reason, may_wait=may_wait)

    def start(self) -> None:
        """Starts to receive, once. Returns at once; what comes of it is told to `on_status`."""
        with self._lock:
            self._standing.announce()
        self._loop.start(self._run())

    def ask_to_stop(self) -> None:
        """Ends the connection, and leaves it to `stop` to wait for that."""
        self._stopping.set()
        self._loop.call(self._asked_to_stop.set)

    def stop(self, timeout_s: float) -> bool:
        """Ends the connection and waits for that.

        Returns:
            False where a thread does not come back in time: it is left behind with a warning, and can no longer call
            back.
        """
        deadline_s = self._clock.now_s() + timeout_s
        self.ask_to_stop()
        ended = self._loop.join(timeout_s)
        for session in self._ended:
            ended = session.pictures.join(max(0.0, deadline_s - self._clock.now_s())) and ended
        if not ended:
            self._abandoned += 1
            logger.warning(f"{self._config.name}: receiving does not end in time; its thread is left behind")
        self._become("stopped", None)
        return ended

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

    @property
    def codec(self) -> str | None:
        """FFmpeg's name of the codec of what comes; None before the first picture."""
        session = self._session
        return None if session is None else session.pictures.codec

    # --- in the loop's thread ---

    @abstractmethod
    async def _work(self) -> None:
        """Makes connections, until asked to stop."""

    @abstractmethod
    def _lost(self, how: str) -> str:
        """Why the stream is not live any more, for people."""

    async def _run(self) -> None:
        watching = asyncio.create_task(self._watch())
        working = asyncio.create_task(self._work())
        await self._asked_to_stop.wait()
        for task in (watching, working):
            task.cancel()
        await asyncio.wait([watching, working])
        if self._session is not None:
            await self._close(self._session)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._session is not None:
                try:
                    self._look(self._session)
                except Exception as error:  # noqa: BLE001 - the next look may do better
                    logger.error(f"{self._config.name}: internal error: {one_line(error)}")

    def _look(self, session: Session) -> None:
        silent_s = session.turn.silent_s()
        if session.turn.end_if_stuck(_STUCK_S):
            self._abandoned += 1
            self._end(session, f"the decoder has not returned for {_STUCK_S:g} s; its thread is left behind")
        elif session.pictures.died:
            self._crashed += 1
            self._end(session, f"the decoding thread died of {session.turn.died_of}")
        elif not session.has_shown and silent_s > _FIRST_PICTURE_S:
            self._end(session, f"no picture came within {_FIRST_PICTURE_S:g} s")
        elif silent_s > max(_LOST_S, 2 * self._config.stall_s):
            self._end(session, f"no picture came for {silent_s:.0f} s")
        else:
            with self._lock:
                self._standing.note_silence(silent_s, self._config.stall_s)

    def _take(self, session: Session) -> None:
        """Puts a session in charge whose connection is agreed on."""
        former, self._session = self._session, session
        if former is not None:
            self._loop.spawn(self._close(former))
        session.begin()

    def _end(self, session: Session, how: str) -> None:
        """Ends a session, if it is still in charge."""
        if session is not self._session:
            return
        self._session = None
        session.turn.over.set()  # before the state changes, which is no longer the session's to change
        self._become("connecting", self._lost(how))
        self._loop.spawn(self._close(session))

    async def _close(self, session: Session) -> None:
        self._ended = [former for former in self._ended if not former.pictures.join(0)]
        self._ended.append(session)
        await session.close()

    # --- states ---

    def _alive(self, turn: Turn) -> None:
        if self._standing.state != "live":
            with self._lock:
                turn.check()
                self._standing.become("live", None)

    def _become(self, state: StreamState, reason: str | None) -> None:
        with self._lock:
            if self._standing.state != "stopped":
                self._standing.become(state, reason)
