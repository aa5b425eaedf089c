"""What it costs to give every stream a process of its own, and what a crash costs where it has none.

Each row is a fresh "service" that watches N loops of one 360p25 clip: readers, decoders, trackers and the face
detector are the monitor's own, in threads of the service or in processes; nothing is scored. Then one stream's worker
is sent SIGSEGV: in threads that is the whole service, which is started anew at once.

Run: python -m benchmarks.isolation [--streams 1 4 8] [--seconds 10]
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import av
import cv2
import numpy as np

from benchmarks.processes import memory_mb
from gend.errors import GendError
from gend.faces import Face, FaceDetector, load_detector
from gend.preprocess import encoder_input
from monitor.capacity.processor_time import cpu_s, own_processes
from monitor.clock import LiveClock
from monitor.config import FacesConfig
from monitor.ingest import SourceStatus
from monitor.isolation import IsolatedWorker
from monitor.messages import Crop, Pixels, Tracked
from monitor.stream_config import StreamConfig
from monitor.worker import StreamWorker, WorkerPlan, track_ids

Mode = Literal["thread", "process"]
_SIZE, _FPS, _CLIP_S = (640, 360), 25, 10
_WARM_S = 3.0
_WAIT_S = 120.0
_INPUT_PX = 224


class Worker(Protocol):
    """What both kinds of worker offer."""

    def start(self) -> None:
        """Begins."""

    def ask_to_stop(self) -> None:
        """Lets it end."""

    def join(self, deadline_s: float) -> bool:
        """Waits for that."""


@dataclass(frozen=True)
class Figures:
    """One row."""

    mode: Mode
    streams: int
    cpu_ms: float
    """CPU time of all processes per second of one stream, milliseconds."""
    pss_mb: float
    """Memory of all processes, each shared page counted once."""
    uss_mb: float
    """The part of it that no two share."""
    first_s: float
    """From start to the first stream live, fork server included."""
    next_s: float
    """The same for each stream after it, median."""
    latency_p50_ms: float
    """From a frame's arrival to its crop in the service."""
    latency_p95_ms: float
    stopped: int = 0
    """Streams that a crash stops."""
    stopped_s: float = 0.0
    """From the crash until all of those give crops again."""


class ClaimingDetector:
    """The face detector, and a face in the middle of every picture, so that there is something to crop."""

    name = "claiming"
    degraded: str | None = None

    def __init__(self) -> None:
        self._real: FaceDetector = load_detector("auto", warn=lambda _: None)

    def detect(self, picture: Pixels) -> list[Face]:
        """As `FaceDetector.detect`."""
        height, width = picture.shape[:2]
        side = height / 2
        x, y = (width - side) / 2, (height - side) / 2
        points = np.array([[0.34, 0.4], [0.66, 0.4], [0.5, 0.6], [0.37, 0.8], [0.63, 0.8]]) * side + (x, y)
        return [*self._real.detect(picture), Face((x, y, x + side, y + side), points.astype(np.float32), 0.9)]


class Service:
    """N workers and what they tell.

    Args:
        mode: where they live.
        clip: what each of them reads.
        streams: how many.
    """

    def __init__(self, mode: Mode, clip: Path, streams: int) -> None:
        self.latencies_s: list[float] = []
        self.cropped_s: dict[str, list[float]] = {f"s{number}": [] for number in range(streams)}
        self._live: dict[str, threading.Event] = {name: threading.Event() for name in self.cropped_s}
        numbers = itertools.count(1)
        self._make: Callable[[str], Worker] = partial(self._worker, mode, clip, lambda: f"run-{next(numbers)}")
        self.workers: dict[str, Worker] = {}

    def start(self) -> list[float]:
        """Starts one stream after the other; seconds that each took to be live."""
        took_s = []
        for name in self.cropped_s:
            began_s = time.monotonic()
            self.workers[name] = self._make(name)
            self.workers[name].start()
            if not self._live[name].wait(_WAIT_S):
                raise TimeoutError(f"{name} is not live")
            took_s.append(time.monotonic() - began_s)
        return took_s

    def stop(self) -> None:
        """Ends all of them."""
        for worker in self.workers.values():
            worker.ask_to_stop()
        for worker in self.workers.values():
            worker.join(time.monotonic() + 10)

    def wait_for_crops(self, after_s: float) -> float:
        """Waits until every stream has given a crop of a frame after that; when the last one did."""
        deadline_s = time.monotonic() + _WAIT_S
        while not all(times and times[-1] > after_s for times in self.cropped_s.values()):
            if time.monotonic() > deadline_s:
                raise TimeoutError("no crops")
            time.sleep(0.01)
        return max(min(at_s for at_s in times if at_s > after_s) for times in self.cropped_s.values())

    def _worker(self, mode: Mode, clip: Path, new_prefix: Callable[[], str], name: str) -> Worker:
        stream = StreamConfig.model_validate({"name": name, "url": f"file:{clip}", "loop": True})
        faces = FacesConfig(crops_per_s=5, max_crops_per_s=5, min_sharpness=0)
        plan = WorkerPlan(stream, faces, ClaimingDetector, partial(encoder_input, input_px=_INPUT_PX))
        clock = LiveClock()
        if mode == "process":
            return IsolatedWorker(plan, new_prefix=new_prefix, clock=clock, on_message=self._take, on_status=self._hear)
        return StreamWorker(
            stream, plan.tracking(track_ids(new_prefix())), clock, on_message=self._take, on_status=self._hear
        )

    def _take(self, message: Tracked) -> None:
        if isinstance(message, Crop):
            now_s = time.monotonic()
            self.latencies_s.append(now_s - message.at_s)
            self.cropped_s[message.stream].append(now_s)

    def _hear(self, status: SourceStatus) -> None:
        if status.state == "live":
            self._live[status.stream].set()


def main() -> None:
    """Prints one line for each mode and number of streams."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--seconds", type=float, default=10.0, help="measured, of each row")
    parser.add_argument("--serve", nargs=3, metavar=("MODE", "CLIP", "STREAMS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        mode, clip, streams = chosen.serve
        _serve(mode, Path(clip), int(streams), chosen.seconds)
        return
    try:
        print(f"face detector: {load_detector('auto', warn=print).name}; {os.cpu_count()} cores")
    except GendError as error:
        sys.exit(str(error))
    print(
        f"{'streams':>7} {'in':>8} {'CPU ms/stream-s':>15} {'PSS MB':>7} {'USS MB':>7} {'first s':>8} {'next s':>7} "
        f"{'p50 ms':>7} {'p95 ms':>7}  a crash stops"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = _clip(Path(folder) / "clip.mp4")
        for streams in chosen.streams:
            modes: tuple[Mode, ...] = ("thread", "process")
            rows = [_measure(mode, clip, streams, chosen.seconds) for mode in modes]
            for row in rows:
                print(
                    f"{row.streams:>7} {row.mode:>8} {row.cpu_ms:>15.1f} {row.pss_mb:>7.0f} {row.uss_mb:>7.0f} "
                    f"{row.first_s:>8.2f} {row.next_s:>7.2f} {row.latency_p50_ms:>7.1f} {row.latency_p95_ms:>7.1f}  "
                    f"{row.stopped} of {row.streams} for {row.stopped_s:.1f} s",
                    flush=True,
                )


def _measure(mode: Mode, clip: Path, streams: int, seconds: float) -> Figures:
    """Has a service measure itself; where a crash ends it, starts another and sees how long that takes."""
    with _service(mode, clip, streams, seconds) as service:
        figures = Figures(**json.loads(_line(service)))
        if mode == "process":
            return figures
        service.send_signal(signal.SIGSEGV)
        crashed_s = time.monotonic()
        service.wait()
    with _service(mode, clip, streams, seconds) as service:
        _line(service, "cropping")
        took_s = time.monotonic() - crashed_s
    return Figures(**{**asdict(figures), "stopped": streams, "stopped_s": took_s})


@contextmanager
def _service(mode: Mode, clip: Path, streams: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.isolation",
        "--seconds",
        str(seconds),
        "--serve",
        mode,
        str(clip),
        str(streams),
    ]
    service = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield service
    finally:
        # Its workers' processes leave when they see that it is gone.
        service.kill()
        service.wait()


def _line(service: subprocess.Popen[str], beginning: str = "{") -> str:
    for line in cast("Any", service.stdout):
        if line.startswith(beginning):
            return str(line)
    raise RuntimeError(f"the service ended with {service.wait()}")


def _serve(mode: Mode, clip: Path, streams: int, seconds: float) -> None:
    """Watches, measures itself, prints that, and goes on until told to stop."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.WARNING)  # that a process crashes is no news here
    service = Service(mode, clip, streams)
    try:
        took_s = service.start()
        service.wait_for_crops(0.0)
        print("cropping", flush=True)
        time.sleep(_WARM_S)
        service.latencies_s.clear()
        before_s, began_s = cpu_s(own_processes()), time.monotonic()
        time.sleep(seconds)
        spent_s, passed_s = cpu_s(own_processes()) - before_s, time.monotonic() - began_s
        latencies_ms = 1000 * np.array(service.latencies_s)
        pss_mb, uss_mb = memory_mb(own_processes())
        figures = Figures(
            mode, streams, 1000 * spent_s / (passed_s * streams), pss_mb, uss_mb, took_s[0],
            statistics.median(took_s[1:] or took_s), float(np.percentile(latencies_ms, 50)),
            float(np.percentile(latencies_ms, 95)),
        )  # fmt: skip
        if mode == "process":
            figures = Figures(**{**asdict(figures), **_crash_one(service)})
        print(json.dumps(asdict(figures)), flush=True)
        sys.stdin.readline()
    finally:
        service.stop()


def _crash_one(service: Service) -> dict[str, float]:
    """Crashes the first stream's process; how long it gave no crops, and how many others gave none for a second."""
    victim = cast("IsolatedWorker", next(iter(service.workers.values())))
    assert victim.pid is not None
    crashed_s = time.monotonic()
    os.kill(victim.pid, signal.SIGSEGV)
    time.sleep(0.2)  # what it had sent before may still come in
    service.wait_for_crops(time.monotonic())
    time.sleep(1.0)
    gaps_s = [
        float(np.diff([crashed_s, *(at_s for at_s in times if at_s > crashed_s)]).max())
        for times in service.cropped_s.values()
    ]
    victim_s, *others_s = gaps_s
    return {"stopped": 1 + len([gap_s for gap_s in others_s if gap_s > 1.0]), "stopped_s": victim_s}


def _clip(path: Path) -> Path:
    """A textured ground that moves, in H.264 as a camera sends it."""
    width, height = _SIZE
    grain = np.random.default_rng(0).integers(60, 200, (height // 8, width // 8, 3), dtype=np.uint8)
    ground = cv2.resize(grain, _SIZE, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 2 * _FPS
        stream.codec_context.options = {"preset": "veryfast", "bf": "0"}
        for index in range(_CLIP_S * _FPS):
            picture = np.ascontiguousarray(np.roll(ground, 2 * index, axis=1), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
