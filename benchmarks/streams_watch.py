"""The monitor's own pipeline on N loops of a clip, which measures itself; what `benchmarks.streams` has done.

Apart from it, because workers' processes are born with all that the main module has imported.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.camera_clip import FPS
from benchmarks.processes import memory_mb
from monitor.capacity.processor_time import cpu_s, machine_cpu_s, own_processes
from monitor.config import MonitorConfig
from monitor.messages import Crop, Logit, Pixels, Verdict
from monitor.pipeline import Pipeline, PipelineStatistics
from monitor.steps import Parts

Engine = Literal["none", "demo"]
ANALYSIS_FPS = 5
_WARM_S = 12.0
"""Until what all processes compile at first, at the same time, is done."""
_LIVE_S = 60.0
_STOP_S = 5.0
_REAL = -5.0


@dataclass(frozen=True)
class Row:
    """What N streams took."""

    engine: Engine
    streams: int
    worker_cores: float
    """Processor time of all streams' processes, seconds a second."""
    service_cores: float
    """Of the service: encoder, decision, and the messages of all streams."""
    elsewhere_cores: float
    """Of all else that ran on the machine: where it is much, the row says little."""
    p50_ms: float
    p95_ms: float
    scored_per_s: float
    unread: float
    """Share of the frames that were not read in time; a recording that is late is played more slowly."""
    unsearched: float
    """Share of the looks for faces, as many a second of each stream as `analysis_fps` says, that were not made."""
    unscored: float
    """Share of the crops that a newer one replaced, or that grew too old."""
    pss_mb: float
    """Memory of a stream's process, what it shares being divided among those who share it."""
    uss_mb: float
    """The part of it that is its own."""

    @property
    def cores(self) -> float:
        """Of all streams and the service."""
        return self.worker_cores + self.service_cores


class NoEncoder:
    """Takes every face for real, and no time."""

    input_px = 224
    interpolation: Literal["bicubic"] = "bicubic"
    notices = ()

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:  # noqa: ARG002
        """As `gend.model.Detector.logits`."""
        return np.full(len(crops), _REAL, np.float32)


class Latencies:
    """A tap that notes how old each crop was when its logit came."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def crop(self, crop: Crop) -> None:
        """Nothing."""

    def logit(self, logit: Logit) -> None:
        """Notes it."""
        self.seconds.append(time.monotonic() - logit.at_s)

    def verdict(self, verdict: Verdict) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Moment:
    """What has been counted and spent until then."""

    at_s: float
    statistics: PipelineStatistics
    workers_s: float
    others_s: float
    machine_s: float


def config_of(clip: Path, streams: int) -> MonitorConfig:
    """So many streams of the clip."""
    watched = [{"name": f"s{number}", "url": f"file:{clip}", "loop": True} for number in range(streams)]
    return MonitorConfig.model_validate(
        {"streams": watched, "encoder": {"weights": "demo"}, "faces": {"analysis_fps": ANALYSIS_FPS}}
    )


def measured(engine: Engine, parts: Parts, clip: Path, seconds: float, streams: int) -> Row:
    """What so many streams take, of which each is measured for so long."""
    return asyncio.run(_watch(engine, parts, config_of(clip, streams), seconds))


async def _watch(engine: Engine, parts: Parts, config: MonitorConfig, seconds: float) -> Row:
    """Watches streams until all are live and warm, and then for so long."""
    names = {stream.name for stream in config.streams}
    latencies = Latencies()
    pipeline = Pipeline(config, parts, run_id="run", taps=[latencies])
    running = asyncio.create_task(pipeline.run(lambda _: None))
    deadline_s = time.monotonic() + _LIVE_S
    while not all((source := pipeline.source(name)) and source.state == "live" for name in names):
        if time.monotonic() > deadline_s:
            sys.exit(f"{len(names)} streams are not live within {_LIVE_S:g} s")
        await asyncio.sleep(0.05)
    await asyncio.sleep(_WARM_S)
    workers = [process for process in own_processes() if process.name().removeprefix("gend-") in names]
    others = [process for process in own_processes() if process not in workers]

    def now() -> Moment:
        return Moment(time.monotonic(), pipeline.statistics(), cpu_s(workers), cpu_s(others), machine_cpu_s())

    before = now()
    latencies.seconds.clear()
    rates = []
    while time.monotonic() - before.at_s < seconds:
        await asyncio.sleep(1.0)
        rates += [stream.reader.fps for stream in pipeline.statistics().streams.values()]
    after, memory = now(), memory_mb(workers)
    await pipeline.stop(lambda _: None, _STOP_S)
    running.cancel()
    return _row(engine, before, after, latencies_s=latencies.seconds, rates=rates, memory=memory)


def _row(
    engine: Engine,
    before: Moment,
    after: Moment,
    *,
    latencies_s: list[float],
    rates: list[float],
    memory: tuple[float, float],
) -> Row:
    was, now = before.statistics, after.statistics
    looked = sum(stream.tracking.analysed - was.streams[name].tracking.analysed for name, stream in now.streams.items())
    lost = [getattr(now.batcher, why) - getattr(was.batcher, why) for why in ("replaced", "stale", "refused")]
    passed_s, streams = after.at_s - before.at_s, len(now.streams)
    looks = (passed_s * ANALYSIS_FPS - 1) * streams  # of each, one may be just outside
    workers, others = after.workers_s - before.workers_s, after.others_s - before.others_s
    p50_ms, p95_ms = np.percentile(1000 * np.array(latencies_s or [np.inf]), [50, 95])
    return Row(
        engine,
        streams,
        worker_cores=workers / passed_s,
        service_cores=others / passed_s,
        elsewhere_cores=max(0.0, after.machine_s - before.machine_s - workers - others) / passed_s,
        p50_ms=float(p50_ms),
        p95_ms=float(p95_ms),
        scored_per_s=len(latencies_s) / passed_s,
        unread=max(0.0, 1 - float(np.mean(rates)) / FPS),
        unsearched=max(0.0, 1 - looked / looks),
        unscored=sum(lost) / max(1, now.batcher.offered - was.batcher.offered),
        pss_mb=memory[0] / streams,
        uss_mb=memory[1] / streams,
    )
