"""`gend-monitor` that writes down when each crop was scored and when each picture was searched; else the real thing.

    python -m benchmarks.traced_service TRACE run CONFIG

Lines of the file TRACE: `code NUMBER S`, a picture with that time code came to the face detector then; and `logit
STREAM TRACK ARRIVED_S S`, the logit of a crop that arrived then was there. Seconds are `time.monotonic`'s.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

from benchmarks.time_code import read
from gend.faces import Face, FaceDetector
from monitor.cli import main
from monitor.config import MonitorConfig
from monitor.messages import Logit, Pixels
from monitor.parts import load_live_parts
from monitor.recent import RecentFaces
from monitor.steps import Parts


class CodeReader:
    """A face detector that also reads the time code; lives in a stream's process."""

    def __init__(self, new_detector: Callable[[], FaceDetector], trace: Path) -> None:
        self._detector = new_detector()
        self._trace = trace.open("a", buffering=1)
        self.name = self._detector.name

    @property
    def degraded(self) -> str | None:
        """As the detector's."""
        return self._detector.degraded

    def detect(self, picture: Pixels) -> list[Face]:
        """As the detector."""
        now_s, number = time.monotonic(), read(picture)
        if number is not None:
            self._trace.write(f"code {number} {now_s}\n")
        return self._detector.detect(picture)


class TracedFaces(RecentFaces):
    """The tap that the service has anyway, which notes when logits come."""

    def __init__(self, trace: Path) -> None:
        super().__init__()
        self._trace = trace.open("a", buffering=1)

    def logit(self, logit: Logit) -> None:
        """Notes it, and does what is done anyway."""
        self._trace.write(f"logit {logit.stream} {logit.track} {logit.at_s} {time.monotonic()}\n")
        super().logit(logit)


def _parts(config: MonitorConfig, trace: Path) -> Parts:
    parts = load_live_parts(config)
    return replace(parts, new_face_detector=partial(CodeReader, parts.new_face_detector, trace))


@contextmanager
def traced(trace: Path) -> Iterator[None]:
    """What is served meanwhile writes into that file."""
    with (
        patch("monitor.running.load_live_parts", partial(_parts, trace=trace)),
        patch("monitor.service.RecentFaces", partial(TracedFaces, trace)),
    ):
        yield


if __name__ == "__main__":
    with traced(Path(sys.argv.pop(1))):
        main()
