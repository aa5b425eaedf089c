"""Hours of many streams with a fault every other minute: what dies, what grows, what is lost.

Runs the service as a user does (`gend-monitor run`) on eight 360p cameras of GStreamer's RTSP server and a Mosquitto,
with a subscriber that is not ours, and meanwhile kills and freezes cameras, broker and workers, and locks the database.

Run: python -m benchmarks.soak --hours 2 --out /tmp/soak
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import matplotlib as mpl
import numpy as np
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from monitor.demo.clip import make_clip
from monitor.store import AlertReader
from tests.broker import Mosquitto
from tests.faults.table import FaultTable
from tests.monitor.service import RunningService
from tests.rtsp_server import RtspServer

_FPS = 25
_SIZE = (640, 360)
_TOP_PX = 122
"""Where the faces are in the tall picture of the call, so that they are in the middle of ours."""
_SCENE_S, _MANIPULATED_FROM_S = 40.0, 20.0
"""Of each scene the second half is manipulated, so that every stream raises and clears alerts all the time."""
_FOOTAGE_S = 660
"""Then a camera ends its session, and is connected to again."""
_SAMPLE_S = 10.0
_FAULT_EVERY_S = 90.0
_WELL_AGAIN_S = 90.0
"""A stream that is not live so long after a fault has ended is dead."""
_MAX_SLOPE_MB_H = 1.0
_WARM_UP = 0.5
"""Share of the time that is not judged: each thread's arena of the allocator grows to the largest it will ever need,
which on a busy machine took 96 minutes and then stayed the same for the rest."""
_UNLUCKY = ("camera-0", "camera-1")
"""Streams whose workers are killed; those of the others live on, and their memory is watched."""


def main() -> int:
    """Runs the soak and prints what came of it; 0 where every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for samples, plot, log and report; a temporary one without it")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="soak-"))
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        footage = make_footage(out / "footage.mp4")
        camera = stack.enter_context(RtspServer({f"{n}": footage for n in range(options.streams)}))
        broker = stack.enter_context(Mosquitto(out, remembers=True))
        subscriber = stack.enter_context(subscribing(broker.port))
        streams = [{"name": f"camera-{n}", "url": camera.url(f"{n}"), "stall_s": 5} for n in range(options.streams)]
        decision = {"threshold": 6, "min_blocks": 4, "refractory_s": 10}
        service = RunningService(out, {"streams": streams, "mqtt": {"url": broker.url}, "decision": decision})
        stack.enter_context(service)
        soak = Soak(service, camera, broker, random.Random(options.seed), out / "samples.jsonl")
        soak.run(options.hours * 3600)
        code, _ = service.terminate()
        (out / "service.log").write_text(service.log_text())
        delivered = wait_for_alerts(out / "alerts.db", subscriber)
    plot(soak.samples, out / "soak.png")
    report = [*soak.report(), delivered.line, f"exit code of the service: {code}", f"log lines: {len(service.log)}"]
    (out / "report.md").write_text("\n".join(report) + "\n")
    print("\n".join(["", *report, "", f"samples, plot, log: {out}"]))
    return 0 if soak.kept and delivered.complete and code == 0 else 1


# --- what is watched ---


def make_footage(path: Path) -> Path:
    """Scenes of two people at 360p25, one after the other without a seam; half of the time one is manipulated."""
    if path.exists():
        return path
    scene, tall = path.with_suffix(".scene.mp4"), path.with_suffix(".tall.mp4")
    make_clip(tall, seconds=_SCENE_S, manipulated_from_s=_MANIPULATED_FROM_S, names=("astronaut", "t1-1"))
    with av.open(str(tall)) as source, av.open(str(scene), "w") as target:
        options = {"preset": "veryfast", "crf": "26", "g": str(2 * _FPS), "bf": "0"}
        stream = target.add_stream("libx264", rate=_FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *_SIZE, "yuv420p"
        rate = source.streams.video[0].average_rate
        assert rate is not None
        written = 0
        for number, frame in enumerate(source.decode(video=0)):
            pixels = frame.to_ndarray(format="rgb24", threads=1).astype(np.uint8, copy=False)
            middle = pixels[_TOP_PX : _TOP_PX + _SIZE[1], : _SIZE[0]]
            while written / _FPS < (number + 1) / rate:
                target.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(middle), format="rgb24")))
                written += 1
        target.mux(stream.encode(None))
    with av.open(str(path), "w") as target:
        copy: Any = None
        offset = 0
        for _ in range(round(_FOOTAGE_S / _SCENE_S)):
            with av.open(str(scene)) as source:
                video = source.streams.video[0]
                copy = copy or target.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, copy
                    target.mux(packet)
                offset += video.duration or 0
    return path


@dataclass
class Sample:
    """Figures at one moment."""

    at_s: float
    rss_mb: dict[str, float]
    """Of the service, and of each worker by its stream and the number of its process."""
    threads: dict[str, int]
    handles: dict[str, int]
    live: int
    fault: str | None


@dataclass
class Subscribed:
    """Alerts as a subscriber received them."""

    alerts: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def subscribing(port: int) -> Iterator[Subscribed]:
    """A durable session, for which the broker keeps what comes while it restarts."""
    received = Subscribed()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak", clean_session=False)
    client.on_message = lambda _client, _data, message: received.alerts.append(json.loads(message.payload))
    client.on_connect = lambda client, *_: client.subscribe("gend/alerts/#", qos=1)
    client.reconnect_delay_set(1, 2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield received
    client.disconnect()
    client.loop_stop()


@dataclass(frozen=True)
class _Health:
    """What the service says of itself."""

    states: dict[str, str]
    connected: bool
    restarts: float


class Soak:
    """Injects faults, and watches."""

    def __init__(
        self, service: RunningService, camera: RtspServer, broker: Mosquitto, rng: random.Random, log: Path
    ) -> None:
        self.samples: list[Sample] = []
        self.table = FaultTable()
        self.dead: list[str] = []
        self._service, self._camera, self._broker, self._rng = service, camera, broker, rng
        self._log = log
        assert service.process is not None
        self._process = psutil.Process(service.process.pid)
        self._began_s = time.monotonic()
        self._fault: str | None = None
        self._cpu_s = 0.0
        self._struck = 0

    def run(self, seconds: float) -> None:
        """Samples all the time, and injects one fault after another until the last tenth, which is calm."""
        over = threading.Event()
        sampling = threading.Thread(target=self._sample_until, args=(over,))
        sampling.start()
        try:
            self._wait_until_well("start", lambda: None)
            faults = itertools.cycle(self._faults())
            while self._now_s() < 0.9 * seconds:
                time.sleep(_FAULT_EVERY_S)
                name, begin, end = next(faults)
                self._fault = name
                begin()
                self._wait_until_well(name, end)
                self._fault = None
            time.sleep(max(0.0, seconds - self._now_s()))
        finally:
            over.set()
            sampling.join()
        times = [self._process.cpu_times(), *(child.cpu_times() for child in self._process.children(recursive=True))]
        self._cpu_s = sum(t.user + t.system for t in times)

    def _faults(self) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
        """Name, how it begins, how it ends; each lasts as long as its beginning takes."""

        def lasting(begin: Callable[[], object], seconds: float) -> Callable[[], object]:
            def last() -> None:
                begin()
                time.sleep(seconds)

            return last

        camera, broker = self._camera, self._broker
        return [
            ("camera server killed for 5 s", lasting(camera.kill, 5), camera.start),
            ("broker restarted after 5 s", lasting(broker.stop, 5), broker.start),
            ("worker killed", lambda: self._strike(signal.SIGKILL), lambda: None),
            ("camera server frozen for 15 s", lasting(camera.freeze, 15), camera.thaw),
            ("database locked for 8 s", self._lock_database, lambda: None),
            ("broker frozen for 15 s", lasting(broker.pause, 15), broker.resume),
            ("worker crashed (SIGSEGV)", lambda: self._strike(signal.SIGSEGV), lambda: None),
            ("worker frozen", lambda: self._strike(signal.SIGSTOP), lambda: None),
        ]

    def _strike(self, number: signal.Signals) -> None:
        os.kill(self._rng.choice([pid for pid, name in self._workers().items() if name in _UNLUCKY]), number)
        self._struck += 1

    def _lock_database(self) -> None:
        other = sqlite3.connect(self._service.path.parent / "alerts.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(8)
        other.execute("ROLLBACK")
        other.close()

    def _wait_until_well(self, name: str, end: Callable[[], object]) -> None:
        end()
        began_s = time.monotonic()
        while True:
            health = self._health()
            ill = [stream for stream, state in health.states.items() if state != "live"]
            if not ill and health.connected and health.restarts >= self._struck:
                break
            if time.monotonic() - began_s > _WELL_AGAIN_S:
                self.dead += [f"{stream} after '{name}'" for stream in ill] or [f"broker or worker after '{name}'"]
                break
            time.sleep(0.1)
        took_s = time.monotonic() - began_s
        self.table.add(name, "", took_s)
        print(f"{self._now_s() / 60:6.1f} min  {name}: well again after {took_s:.1f} s", flush=True)

    def _health(self) -> _Health:
        with urllib.request.urlopen(f"{self._service.web_url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        states = re.findall(r'gend_stream_state{state="(\w+)",stream="([\w-]+)"} 1\.0', text)
        restarts = re.findall(r"gend_worker_restarts_total{.*} ([\d.]+)", text)
        return _Health(
            {name: state for state, name in states}, "gend_mqtt_connected 1.0" in text, sum(map(float, restarts))
        )

    def _workers(self) -> dict[int, str]:
        """Streams by their worker's process, which bears their name."""
        workers = {}
        for process in self._process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("gend-"):
                    workers[process.pid] = process.name().removeprefix("gend-")
        return workers

    def _sample_until(self, over: threading.Event) -> None:
        while not over.wait(_SAMPLE_S):
            workers = self._workers()
            rss: dict[str, float] = {}
            threads, handles = {}, {}
            for process in (self._process, *self._process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    name = self._name(process, workers)
                    rss[name] = process.memory_info().rss / 1e6
                    threads[name], handles[name] = process.num_threads(), process.num_fds()
            live = sum(state == "live" for state in self._health().states.values())
            self.samples.append(Sample(self._now_s(), rss, threads, handles, live, self._fault))
            with self._log.open("a") as log:
                log.write(json.dumps(vars(self.samples[-1])) + "\n")

    def _name(self, process: psutil.Process, workers: dict[int, str]) -> str:
        if process == self._process:
            return "service"
        return f"{workers.get(process.pid, 'helper')} {process.pid}"

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    # --- what came of it ---

    def _steady(self) -> dict[str, list[Sample]]:
        """Samples after the warm-up, of each process that lived through all of it."""
        warm = [sample for sample in self.samples if sample.at_s > _WARM_UP * self.samples[-1].at_s]
        return {name: warm for name in warm[0].rss_mb if all(name in sample.rss_mb for sample in warm)}

    def slopes(self) -> dict[str, float]:
        """Growth of the resident memory of each process, MB an hour."""
        slopes = {}
        for name, samples in self._steady().items():
            hours = [sample.at_s / 3600 for sample in samples]
            slopes[name] = float(np.polyfit(hours, [sample.rss_mb[name] for sample in samples], 1)[0])
        return slopes

    @property
    def kept(self) -> bool:
        """Whether no stream died and nothing grew."""
        steady = all(first == last for name in self._steady() for first, last in self._ends(name)[1:])
        return not self.dead and steady and all(slope <= _MAX_SLOPE_MB_H for slope in self.slopes().values())

    def _ends(self, name: str) -> list[tuple[float, float]]:
        """Memory, threads and handles of a process after the warm-up and at the end: medians of a tenth of the time."""
        samples = self._steady()[name]
        tenth = len(samples) // 10 + 1
        return [
            (_median(samples[:tenth], what, name), _median(samples[-tenth:], what, name))
            for what in ("rss_mb", "threads", "handles")
        ]

    def report(self) -> list[str]:
        """Markdown: the faults by kind, then what grew."""
        by_fault = defaultdict(list)
        for row in self.table.rows:
            by_fault[row.fault].append(row.recovered_s or 0.0)
        hours = self.samples[-1].at_s / 3600
        lines = [f"# {hours:.2f} h, {max(sample.live for sample in self.samples)} streams, {os.cpu_count()} cores", ""]
        lines += ["| fault | times | well again after, median | at most |", "|---|---|---|---|"]
        for fault, times in by_fault.items():
            lines.append(f"| {fault} | {len(times)} | {np.median(times):.1f} s | {max(times):.1f} s |")
        lines += [
            "",
            "| process | RSS, MB: after warm-up | at the end | MB/h | threads | handles |",
            "|---|---|---|---|---|---|",
        ]
        for name, slope in self.slopes().items():
            memory, threads, handles = self._ends(name)
            lines.append(
                f"| {name} | {memory[0]:.1f} | {memory[1]:.1f} | {slope:+.2f} "
                f"| {threads[0]:.0f} → {threads[1]:.0f} | {handles[0]:.0f} → {handles[1]:.0f} |"
            )
        lines += ["", f"dead streams: {', '.join(self.dead) or 'none'}"]
        return [*lines, f"processor time of service and workers: {self._cpu_s / self.samples[-1].at_s:.2f} cores"]


def _median(samples: list[Sample], what: str, name: str) -> float:
    return float(np.median([getattr(sample, what)[name] for sample in samples]))


@dataclass(frozen=True)
class Delivered:
    """Alerts recorded against alerts received."""

    complete: bool
    line: str


def wait_for_alerts(database: Path, subscriber: Subscribed) -> Delivered:
    """Compares what the store holds with what has arrived, for which it waits a little."""

    async def recorded() -> list[Any]:
        reader = await AlertReader.open(f"sqlite+aiosqlite:///{database}")
        try:
            return list(await reader.alerts(10_000_000))
        finally:
            await reader.aclose()

    alerts = asyncio.run(recorded())
    ids = {alert.id for alert in alerts}
    deadline_s = time.monotonic() + 30
    while ids - {alert["id"] for alert in subscriber.alerts} and time.monotonic() < deadline_s:
        time.sleep(0.2)
    received = list(dict.fromkeys((alert["stream"], alert["sequence"], alert["id"]) for alert in subscriber.alerts))
    lost = ids - {identity for _, _, identity in received}
    ordered = all(
        sequences == list(range(1, len(sequences) + 1))
        for stream in {stream for stream, _, _ in received}
        if (sequences := [sequence for name, sequence, _ in received if name == stream])
    )
    twice = len(subscriber.alerts) - len(received)
    line = (
        f"alerts: {len(ids)} recorded, {len(received)} received, {len(lost)} lost, {twice} twice under their id, "
        f"sequence of each stream {'without holes' if ordered else 'BROKEN'}"
    )
    return Delivered(bool(ids) and not lost and ordered, line)


def plot(samples: list[Sample], path: Path) -> None:
    """Resident memory of every process, and live streams, over time."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a screen

    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 7), sharex=True, height_ratios=(3, 1))
    for name in sorted({name for sample in samples for name in sample.rss_mb}):
        seen = [sample for sample in samples if name in sample.rss_mb]
        style = {"linewidth": 2.0, "label": name} if name == "service" else {"linewidth": 0.7}
        above.plot([s.at_s / 60 for s in seen], [s.rss_mb[name] for s in seen], **style)
    above.set_ylabel("resident memory of each process, MB")
    above.set_ylim(bottom=0)
    above.legend()
    below.plot([s.at_s / 60 for s in samples], [s.live for s in samples], drawstyle="steps-post")
    for sample in samples:
        if sample.fault:
            below.axvspan(sample.at_s / 60 - _SAMPLE_S / 60, sample.at_s / 60, color="tab:red", alpha=0.2, linewidth=0)
    below.set_ylabel("live streams")
    below.set_xlabel("minutes; red: a fault lasts")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
