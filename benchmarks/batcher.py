"""How much of the bare engine is left behind batcher, worker and the encoder's process, and who waits how long for it.

Closed loop: each track offers its next crop when the last one is scored. The bare engine is called in a loop in this
process, with the batches that the others were scored in, in turns with them. Open loop: crops are offered at a fixed
rate, below and above what the engine does, by tracks in turn.

Run: python -m benchmarks.batcher (three minutes). With a network of the size that is used, with noise for weights:
--encoder clip-vit-large-patch14 --tracks 1 8 --rounds 3.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self, cast

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.machine import described
from gend.model import Detector, Identity
from gend.resample import Interpolation
from monitor.clock import LiveClock
from monitor.encoder import EncoderPlan, IsolatedEncoder
from monitor.messages import Crop, Demand, Logit, Pixels
from monitor.scoring import Batcher, Encoder, Worker

_BATCH = 8
_ROUNDS = 11
_TRACKS = (1, 2, 8, 64, 256)
_LOADS = (0.5, 0.9, 1.5)
_QUEUED = 4096
_WARM_S = 0.5


class _Nothing:
    """An engine that does nothing, so that all the rest shows."""

    input_px = 224
    interpolation: Interpolation = "bicubic"
    notices = ()
    identity = Identity("nothing", "", "torch-cpu", "fp32")

    def __init__(self) -> None:
        self.adapters: dict[str, str] = {}

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        return np.zeros(len(crops), np.float32)


@dataclass(frozen=True, slots=True)
class _Plan(EncoderPlan):
    """The demo encoder, nothing, or noise of a backbone."""

    def load(self) -> Detector:
        if self.weights == "nothing":
            return cast("Detector", _Nothing())
        if self.weights == "demo":
            return EncoderPlan("demo", threads=1).load()
        from benchmarks.noise_weights import network_of_noise  # noqa: PLC0415  (torch is for who runs it)
        from gend.engines.cpu import CPU  # noqa: PLC0415
        from gend.engines.torch import TorchEngine  # noqa: PLC0415

        network = network_of_noise(self.weights)
        px = network.backbone.input_px
        engine = TorchEngine(network, device="cpu", precision="bf16" if CPU.here().bf16 else "fp32")
        return Detector(engine, input_px=px, identity=Identity(self.weights, "", engine.name, engine.precision))


@dataclass
class _Run:
    """What came of one run of the worker."""

    crops: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    sizes: Counter[int] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    logits_s: list[float] = field(default_factory=list)
    dropped: int = 0


class _Timed(Batcher):
    """Notes how long crops wait, and in which batches they are taken."""

    def __init__(self, run: _Run) -> None:
        super().__init__(_BATCH, max_age_s=5)
        self.run = run

    def take(self, now_s: float, wait_s: float, *, at_most: int | None = None, full: bool = False) -> list[Crop]:
        crops = super().take(now_s, wait_s, at_most=at_most, full=full)
        taken_s = time.monotonic()
        if crops:
            self.run.sizes[len(crops)] += 1
        self.run.waits_s += [taken_s - crop.at_s for crop in crops]
        return crops


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="demo", help="`demo`, or one of gend.backbones")
    parser.add_argument("--seconds", type=float, default=0.4, help="of each round")
    parser.add_argument("--tracks", type=int, nargs="+", default=_TRACKS)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the encoder's process does, before torch is imported
    _queueing()
    for weights in ("nothing", asked.encoder):
        plan = _Plan(weights)
        here, there = plan.load(), IsolatedEncoder.load(plan, _BATCH)
        try:
            if weights == "nothing":
                _overhead(here, there, asked.seconds)
            else:
                capacity = _closed(asked, here, there)
                _open(asked, there, capacity)
        finally:
            there.close()
    print(described("torch", "openvino"), f"load {psutil.getloadavg()[0]:.1f}", sep="; ")


def _overhead(here: Encoder, there: IsolatedEncoder, seconds: float) -> None:
    print("\nAn engine that does nothing, crops of 224 px, closed loop: us a crop, median of rounds")
    print("| tracks | in the service | in its process | CPU of both processes |")
    print("|---|---|---|---|")
    for tracks in _TRACKS:
        with _ClosedLoop(here, 224, tracks) as inside, _ClosedLoop(there, 224, tracks) as outside:
            rounds = [(inside.run(seconds / 2), outside.run(seconds / 2)) for _ in range(_ROUNDS)]
        here_us, there_us = (
            statistics.median(run[at].seconds / run[at].crops * 1e6 for run in rounds) for at in (0, 1)
        )
        cpu_us = statistics.median(run[1].cpu_s / run[1].crops * 1e6 for run in rounds)
        print(f"| {tracks} | {here_us:.0f} | {there_us:.0f} | {cpu_us:.0f} |")


def _closed(asked: argparse.Namespace, here: Detector, there: IsolatedEncoder) -> float:
    print(f"\n{asked.encoder}, closed loop, {asked.rounds} rounds in turn; ratios are medians of rounds")
    print("| tracks | crops a batch | crops/s | of the bare | CPU-s, bare = 1 | wait p50 / p95 / p99, ms |")
    print("|---|---|---|---|---|---|")
    capacity = 0.0
    for tracks in asked.tracks:
        shares, cpu, waits_s, rates, sizes = [], [], list[float](), [], Counter[int]()
        with _ClosedLoop(there, here.input_px, tracks) as loop:
            for _ in range(asked.rounds):
                run = loop.run(asked.seconds)
                bare_s, bare_cpu_s = _bare(here, run.sizes)
                shares.append(bare_s / run.seconds)
                cpu.append(run.cpu_s / bare_cpu_s)
                rates.append(run.crops / run.seconds)
                waits_s += run.waits_s
                sizes += run.sizes
        mean = sum(size * count for size, count in sizes.items()) / sizes.total()
        capacity = max(capacity, statistics.median(rates))
        ratios = f"{statistics.median(shares):.1%} | {statistics.median(cpu):.3f}"
        print(f"| {tracks} | {mean:.1f} | {statistics.median(rates):.1f} | {ratios} | {_quantiles(waits_s)} |")
    return capacity


def _open(asked: argparse.Namespace, there: IsolatedEncoder, capacity: float) -> None:
    print(f"\n{asked.encoder}, open loop: share of {capacity:.1f} crops/s offered by tracks in turn")
    print("| tracks | offered | scored, crops/s | never scored | wait p50 / p95 / p99, ms | to the logit, ms |")
    print("|---|---|---|---|---|---|")
    for tracks in sorted({min(8, *asked.tracks[-1:]), asked.tracks[-1]}):
        for load in _LOADS:
            run = _offered(there, tracks, load * capacity, asked.seconds * 10)
            lost = run.dropped / max(run.dropped + run.crops, 1)
            rate = run.crops / run.seconds
            print(
                f"| {tracks} | {load:.0%} | {rate:.1f} | {lost:.0%} | {_quantiles(run.waits_s)} "
                f"| {_quantiles(run.logits_s)} |"
            )


def _quantiles(waits_s: list[float]) -> str:
    return " / ".join(f"{np.quantile(waits_s, q) * 1e3:.1f}" for q in (0.5, 0.95, 0.99)) if waits_s else ""


def _bare(engine: Detector, sizes: Counter[int]) -> tuple[float, float]:
    """Wall and CPU seconds of the same batches."""
    px = engine.input_px
    crops = np.random.default_rng(0).integers(0, 256, (max(sizes), px, px, 3), np.uint8)
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    for size in sizes.elements():
        engine.logits(crops[:size], [None] * size)
    return time.perf_counter() - begin_s, time.process_time() - begin_cpu_s


class _ClosedLoop:
    """Each track offers its next crop when the last is scored; between two runs all of them pause."""

    def __init__(self, encoder: Encoder, px: int, tracks: int) -> None:
        self._encoder = encoder
        self._batcher = _Timed(_Run())
        self._pixels = np.random.default_rng(0).integers(0, 256, (px, px, 3), np.uint8)
        self._scored: queue.SimpleQueue[list[Logit] | None] = queue.SimpleQueue()
        self._worker = Worker(self._batcher, encoder, "w", self._scored.put, LiveClock())
        self._feeder = threading.Thread(target=self._feed)
        self._tracks = {str(track) for track in range(tracks)}
        self._running = False
        self._idle = queue.SimpleQueue[str]()

    def __enter__(self) -> Self:
        self._worker.start()
        self._feeder.start()
        self.run(_WARM_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop(60)
        self._scored.put(None)
        self._feeder.join()

    def run(self, seconds: float) -> _Run:
        """Runs for so long, and until everybody is scored."""
        run = self._batcher.run = _Run()
        before, begin_s, begin_cpu_s = self._worker.statistics().crops, time.perf_counter(), _cpu_s(self._encoder)
        self._running = True
        for track in self._tracks:
            self._offer(track)
        time.sleep(seconds)
        self._running = False
        for _ in self._tracks:
            self._idle.get()
        run.seconds, run.cpu_s = time.perf_counter() - begin_s, _cpu_s(self._encoder) - begin_cpu_s
        run.crops = self._worker.statistics().crops - before
        return run

    def _offer(self, track: str) -> None:
        self._batcher.offer(Crop("s", track, time.monotonic(), self._pixels, quality=1.0, width_px=100))

    def _feed(self) -> None:
        while (logits := self._scored.get()) is not None:
            for logit in logits:
                if self._running:
                    self._offer(logit.track)
                else:
                    self._idle.put(logit.track)


def _offered(encoder: Encoder, tracks: int, rate: float, seconds: float) -> _Run:
    """Open loop: so many crops a second, whatever becomes of them."""
    run = _Run()
    batcher = _Timed(run)
    px = cast("IsolatedEncoder", encoder).input_px
    pixels = np.zeros((px, px, 3), np.uint8)

    def scored(logits: list[Logit]) -> None:
        now_s = time.monotonic()
        run.logits_s.extend(now_s - logit.at_s for logit in logits)

    worker = Worker(batcher, encoder, "w", scored, LiveClock())
    worker.start()
    begin_s = time.monotonic()
    number = 0
    while (now_s := time.monotonic()) < begin_s + seconds:
        while number < (now_s - begin_s) * rate:
            batcher.offer(Crop("s", str(number % tracks), now_s, pixels, quality=1.0, width_px=100))
            number += 1
        time.sleep(min(0.002, 1 / rate))
    run.crops, run.seconds = worker.statistics().crops, time.monotonic() - begin_s
    lost = batcher.statistics()
    run.dropped = lost.replaced + lost.stale + lost.refused
    worker.stop(60)
    return run


def _cpu_s(encoder: Encoder) -> float:
    """Of this process, and of the encoder's."""
    pid = encoder.pid if isinstance(encoder, IsolatedEncoder) else None
    others = (0.0, 0.0) if pid is None else psutil.Process(pid).cpu_times()[:2]
    return time.process_time() + sum(others)


def _queueing() -> None:
    print(f"Queueing: {_QUEUED} crops a round, median of {_ROUNDS}; every crop offered and taken once; us a crop")
    print("| streams | tracks each | with demand | a plain queue | the batcher |")
    print("|---|---|---|---|---|")
    pixels = np.zeros((224, 224, 3), np.uint8)
    for streams, tracks in ((1, 1), (1, 8), (8, 8), (64, 4), (64, 16)):
        crops = [
            Crop(f"s{stream}", f"t{track}", 0.0, pixels, quality=1.0, width_px=100)
            for track in range(tracks)
            for stream in range(streams)
        ]
        for demanded in (0.0, 0.25):
            plain_us = _per_crop_us(lambda crops=crops: _through_queue(crops))  # type: ignore[misc]
            ours_us = _per_crop_us(lambda crops=crops, share=demanded: _through_batcher(crops, share))  # type: ignore[misc]
            print(f"| {streams} | {tracks} | {demanded:.0%} | {plain_us:.1f} | {ours_us:.1f} |")


def _per_crop_us(run: Callable[[], int]) -> float:
    def once() -> float:
        begin_s = time.perf_counter()
        crops = run()
        return (time.perf_counter() - begin_s) / crops * 1e6

    return statistics.median(once() for _ in range(_ROUNDS))


def _through_queue(crops: list[Crop]) -> int:
    waiting: queue.Queue[Crop] = queue.Queue()
    count = 0
    while count < _QUEUED:
        for crop in crops:
            waiting.put(crop)
        for _ in crops:
            waiting.get()
        count += len(crops)
    return count


def _through_batcher(crops: list[Crop], demanded: float) -> int:
    batcher = Batcher(_BATCH, max_age_s=5)
    count = 0
    while count < _QUEUED:
        for crop in crops:
            batcher.offer(crop)
        if count == 0:
            for crop in crops[: round(demanded * len(crops))]:
                batcher.demand(Demand(crop.stream, crop.track, crops_per_s=5, priority=0.5, expires_s=1))
        while batch := batcher.take(0.0, wait_s=0):
            count += len(batch)
    return count


if __name__ == "__main__":
    main()
