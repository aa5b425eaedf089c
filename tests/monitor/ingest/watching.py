"""A reader under observation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from monitor.clock import LiveClock
from monitor.ingest import PacketRing, Reader, SourceStatus
from monitor.ingest.retry import Patience
from monitor.messages import Frame
from monitor.stream_config import StreamConfig

T = TypeVar("T")
WAIT_S = 20.0
BRISK = Patience(open_s=5, stuck_s=0.1, backoff_s=0.1, longest_backoff_s=0.4)


class Watched:
    """Runs a reader and keeps what it says; stops it at the end of the block."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "lobby",
        on_frame: Callable[[Frame], None] | None = None,
        wanted: Callable[[float], bool] | None = None,
        patience: Patience = BRISK,
        ring: PacketRing | None = None,
        **settings: Any,
    ) -> None:
        config = StreamConfig.model_validate({"name": name, "url": url, "stall_s": 5, **settings})
        self.frames: list[Frame] = []
        self.statuses: list[SourceStatus] = []
        self._heard = threading.Condition()
        self._on_frame = on_frame
        self.reader = Reader(
            config,
            on_frame=self._frame,
            on_status=self._status,
            clock=LiveClock(),
            wanted=wanted,
            patience=patience,
            ring=ring,
        )

    def __enter__(self) -> Self:
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.stop(5)

    @property
    def states(self) -> list[str]:
        """Every state it was in, in order."""
        states = [status.state for status in self.statuses]
        return [state for index, state in enumerate(states) if index == 0 or state != states[index - 1]]

    def went_through(self, *states: str) -> bool:
        """Whether it was in these states in this order, others in between allowed."""
        left = iter(self.states)
        return all(state in left for state in states)

    def wait_for(self, state: str, *, reason: str = "") -> SourceStatus:
        """The next status, from the last one on, of that state and with that text in its reason."""
        last = max(0, len(self.statuses) - 1)
        return self._wait(
            lambda: next(
                (each for each in self.statuses[last:] if each.state == state and reason in (each.reason or "")), None
            ),
            f"{state} {reason}",
        )

    def wait_for_frames(self, more: int) -> list[Frame]:
        """The next `more` frames."""
        already = len(self.frames)
        return self._wait(
            lambda: self.frames[already:] if len(self.frames) >= already + more else None, f"{more} frames"
        )

    def _wait(self, look: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + WAIT_S
        with self._heard:
            while (found := look()) is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._heard.wait(left_s):
                    raise AssertionError(f"waited in vain for {what}; was {self.statuses}, {len(self.frames)} frames")
        return found

    def _frame(self, frame: Frame) -> None:
        with self._heard:
            self.frames.append(frame)
            self._heard.notify_all()
        if self._on_frame is not None:
            self._on_frame(frame)

    def _status(self, status: SourceStatus) -> None:
        with self._heard:
            self.statuses.append(status)
            self._heard.notify_all()
