"""A stream that is published to, under observation, without HTTP."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import Any, Self

from monitor.clock import LiveClock
from monitor.ingest import Needs, PacketRing, SourceStatus, new_reader
from monitor.ingest.webrtc.published import PublishedReader
from monitor.messages import Frame, Leave, Offer, Reply
from monitor.stream_config import StreamConfig
from monitor.webrtc_config import WebRtcConfig
from tests.waiting import PATIENCE_S, wait_until
from tests.webrtc_client import Publisher


class Watched:
    """Runs a reader of `whip:` and keeps what it says; stops it at the end of the block."""

    def __init__(
        self, *, ring: PacketRing | None = None, webrtc: dict[str, Any] | None = None, **settings: Any
    ) -> None:
        config = StreamConfig.model_validate({"name": "call", "url": "whip:", **settings})
        self.frames: list[Frame] = []
        self.statuses: list[SourceStatus] = []
        self.replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self.ring = ring
        self.broken = False
        self.held = threading.Event()
        """Cleared, it holds up whoever brings a frame."""
        self.held.set()
        reader = new_reader(
            config,
            on_frame=self._frame,
            on_status=self.statuses.append,
            clock=LiveClock(),
            wanted=lambda _: True,
            ring=ring,
            webrtc=WebRtcConfig.model_validate(webrtc or {}),
            on_reply=self.replies.put,
            needs=Needs(25, 0, lambda: 0.0),
            crops_per_s=lambda: 0.0,
            crop_due=lambda: False,
        )
        assert isinstance(reader, PublishedReader)
        self.reader = reader

    def __enter__(self) -> Self:
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.reader.stop(20)

    def _frame(self, frame: Frame) -> None:
        if self.broken:
            raise RuntimeError("no frames today")
        self.held.wait(PATIENCE_S)
        self.frames.append(frame)

    def offer(self, sdp: str, session: str = "one") -> Reply:
        self.reader.publish(Offer("call", next(self._numbers), session, sdp))
        return self.replies.get(timeout=PATIENCE_S)

    def leave(self, session: str = "one") -> Reply:
        self.reader.publish(Leave("call", next(self._numbers), session))
        return self.replies.get(timeout=PATIENCE_S)

    def take(self, publisher: Publisher, session: str = "one", sdp: str | None = None) -> None:
        """Lets somebody publish, and waits for the first picture."""
        before = len(self.frames)
        reply = self.offer(sdp or publisher.offer, session)
        assert reply.sdp is not None, reply
        publisher.accept(reply.sdp)
        wait_until(lambda: len(self.frames) > before)

    def wait_for(self, state: str, reason: str = "") -> SourceStatus:
        """The next status, from the last one on, of that state and with that text in its reason."""
        last = max(0, len(self.statuses) - 1)
        return wait_until(
            lambda: next((s for s in self.statuses[last:] if s.state == state and reason in (s.reason or "")), None)
        )

    def wait_for_frames(self, more: int) -> list[Frame]:
        already = len(self.frames)
        wait_until(lambda: len(self.frames) >= already + more)
        return self.frames[already:]
