"""A stream that is read and analysed as in the service, under observation."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from gend.faces import Face
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest import ReaderStatistics, SourceStatus
from monitor.messages import Pixels
from monitor.stream_config import StreamConfig
from monitor.tracking import Tracking
from monitor.worker import StreamWorker

WAIT_S = 30.0
_FACES = FacesConfig(analysis_fps=10)


class Analysed:
    """Runs a worker whose detector notes the pictures that it is shown; stops it at the end of the block."""

    name = "noting"
    degraded: str | None = None

    def __init__(self, url: str, **settings: Any) -> None:
        config = StreamConfig.model_validate({"name": "lobby", "url": url, "stall_s": 1, **settings})
        self.pictures = 0
        self.statuses: list[SourceStatus] = []
        self._heard = threading.Condition()
        ids = map(str, itertools.count(1))
        tracking = Tracking("lobby", _FACES, [], self, prepare=lambda pixels: pixels, track_ids=ids)
        self._worker = StreamWorker(
            config, tracking, LiveClock(), on_message=lambda _: None, on_status=self._take_status
        )

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.ask_to_stop()
        assert self._worker.join(time.monotonic() + WAIT_S)

    def detect(self, picture: Pixels) -> list[Face]:
        """Sees nobody."""
        if not picture.any():
            return []  # no picture of the stream's: the detector is warmed up before there is one
        with self._heard:
            self.pictures += 1
            self._heard.notify_all()
        return []

    @property
    def states(self) -> list[str]:
        """Every state it was in, in order."""
        return [state for state, _ in itertools.groupby(status.state for status in self.statuses)]

    @property
    def reasons(self) -> set[str]:
        """Whatever was said of why it was not live."""
        return {status.reason for status in self.statuses if status.reason is not None}

    @property
    def figures(self) -> ReaderStatistics:
        """What the metrics show of its reader."""
        return self._worker.statistics().reader

    def wait_for_pictures(self, more: int = 1) -> None:
        """Until so many more pictures were analysed."""
        wanted = self.pictures + more
        self._wait(lambda: self.pictures >= wanted)

    def wait_for(self, state: str, reason: str = "") -> None:
        """Until it is or has been in that state, from the last one on, for a reason with that text in it."""
        last = max(0, len(self.statuses) - 1)
        self._wait(lambda: any(one.state == state and reason in str(one.reason) for one in self.statuses[last:]))

    def _wait(self, happened: Callable[[], object]) -> None:
        with self._heard:
            assert self._heard.wait_for(happened, WAIT_S), f"{self.statuses}, {self.figures}"

    def _take_status(self, status: SourceStatus) -> None:
        with self._heard:
            self.statuses.append(status)
            self._heard.notify_all()
