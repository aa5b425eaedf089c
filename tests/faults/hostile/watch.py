"""The child process: reads names and paths of hostile streams, watches several at once, and tells what became of each.

Everything is the service's own: reader, decoder, tracking, the face detector, alignment and preparation. Beside what
the detector finds, a face is always claimed in the middle of the picture, so that every picture's pixels are cut.
"""

from __future__ import annotations

import faulthandler
import logging
import queue
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from gend.faces import Face, FaceDetector, load_detector
from gend.preprocess import encoder_input
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest import SourceStatus
from monitor.messages import Box, Crop, Demand, Frame, Pixels, Tracked
from monitor.stream_config import StreamConfig
from monitor.tracking import Tracking
from monitor.worker import StreamWorker, track_ids
from tests.faults.hostile.outcome import End, Outcome
from tests.monitor.tracking.scenes import face_at

_STOPPED_S = 30.0
"""Longest wait for a stream that was asked to stop."""
_INPUT_PX = 224
_FACES = FacesConfig(analysis_fps=30, crops_per_s=5, max_crops_per_s=25, min_face_px=16, min_sharpness=0)


class _Detector:
    """The real one, or where its network cannot be had one that reads every pixel; and always a face in the middle."""

    name = "hostile"
    degraded: str | None = None

    def __init__(self) -> None:
        try:
            self._real: FaceDetector | None = load_detector("yunet", warn=lambda _: None)
        except Exception:  # noqa: BLE001 - no network and no model: the rest is worth watching
            self._real = None

    def detect(self, picture: Pixels) -> list[Face]:
        found = [] if self._real is None else self._real.detect(picture)
        assert np.isfinite(float(picture.sum()))
        height, width = picture.shape[:2]
        return [*found, face_at(width / 2, height / 2, min(width, height) / 2)]


class _Witness:
    """A frame that remembers whether pixels of it were asked for at full resolution."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.regions = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._frame, name)

    def small(self, px: int) -> Pixels:
        return self._frame.small(px)

    def luma(self, px: int) -> Pixels:
        return self._frame.luma(px)

    def region(self, box: Box) -> tuple[Pixels, tuple[int, int]]:
        self.regions += 1
        return self._frame.region(box)


class WitnessedTracking(Tracking):
    """Tracking whose every frame is looked after."""

    broken_rules: tuple[str, ...] = ()

    def process(self, frame: Frame) -> list[Tracked]:
        witness = _Witness(frame)
        messages = super().process(witness)  # type: ignore[arg-type]
        crops = [message for message in messages if isinstance(message, Crop)]
        if not frame.trusted and (witness.regions or crops):
            self.broken_rules += (f"{len(crops)} crops, {witness.regions} regions of an untrusted frame",)
        if any(crop.pixels.shape != (_INPUT_PX, _INPUT_PX, 3) for crop in crops):
            self.broken_rules += ("a crop of another shape",)
        return messages


class _Watch:
    """One stream after the other, with one detector, as long as there are any."""

    def __init__(self, live_s: float, stall_s: float) -> None:
        self._live_s = live_s
        self._stall_s = stall_s
        self._detector = _Detector()
        self._process = psutil.Process()

    def watch(self, name: str, path: str) -> Outcome:
        """Watches a stream to its end or for `live_s`."""
        stream = StreamConfig.model_validate({"name": name, "url": path, "stall_s": self._stall_s})
        tracking = WitnessedTracking(
            name, _FACES, [], self._detector, prepare=partial(encoder_input, input_px=_INPUT_PX),
            track_ids=track_ids(name),
        )  # fmt: skip
        clock, over = LiveClock(), threading.Event()
        last: list[SourceStatus] = []
        crops = [0]

        def take(message: Tracked) -> None:
            if isinstance(message, Crop):
                crops[0] += 1
                worker.demand(Demand(name, message.track, 25, 1.0, clock.now_s() + 10))

        def hear(status: SourceStatus) -> None:
            last[:] = [status]
            if status.state == "stopped" or (status.state == "connecting" and status.reason is not None):
                over.set()

        worker = StreamWorker(stream, tracking, clock, on_message=take, on_status=hear)
        began_s = time.monotonic()
        worker.start()
        over.wait(self._live_s)
        end: End = {"stopped": "ended", "connecting": "refused"}.get(last[0].state, "live")  # type: ignore[assignment]
        reason = last[0].reason
        failure = worker.failure
        worker.ask_to_stop()
        if not worker.join(time.monotonic() + _STOPPED_S):
            end = "stuck"
        if end == "refused" and reason is None:
            end = "live"  # still on its way to a first picture when its time was over
        statistics = worker.statistics()
        return Outcome(
            name,
            end,
            reason,
            statistics.reader.frames,
            statistics.reader.distrusted,
            statistics.tracking.analysed,
            crops[0],
            tracking.broken_rules,
            failure,
            time.monotonic() - began_s,
            self._process.memory_info().rss / 2**20,
            _peak_mb(),
        )


def _peak_mb() -> float:
    # Not ru_maxrss: that one remembers, across exec, how large the test's own process was when it forked.
    status = Path("/proc/self/status").read_text()
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 2**10


def main() -> None:
    """Reads `name path` a line from standard input; writes `begin name` and outcomes to standard output."""
    at_once, live_s, stall_s = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    logging.basicConfig(level=logging.ERROR)
    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    told = threading.Lock()

    def tell(line: str) -> None:
        with told:
            print(line, flush=True)

    def work() -> None:
        watch = _Watch(live_s, stall_s)
        while (line := waiting.get()) is not None:
            name, path = line.split(" ", 1)
            tell(f"begin {name}")
            tell(watch.watch(name, path).line())

    workers = [threading.Thread(target=work, name=f"slot-{number}") for number in range(at_once)]
    for worker in workers:
        worker.start()
    for line in sys.stdin:
        waiting.put(line.strip())
    for _ in workers:
        waiting.put(None)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
