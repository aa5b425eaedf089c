"""How many streams one machine carries: more and more of them, until crops come late or something is dropped.

Each row is the monitor's own pipeline (workers in processes of their own, batcher, encoder,
decision) on N loops of one clip, 720p25 H.264 with faces, paced as a camera's; with the demo encoder, and with one that
answers at once and so leaves the rest. Latency is from a frame's arrival to the logit of its crop. Too many are those
of which p95 is over a second, or more than one in a hundred is dropped of: frames that should have been read, frames
that should have been searched for faces, crops that should have been scored.

Run: python -m benchmarks.streams [--most 64] [--faces 1] [--seconds 8] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.camera_clip import FPS, make_camera_clip
from benchmarks.machine import described
from benchmarks.processes import cpu_s, machine_cpu_s, memory_mb, own_processes
from monitor.config import MonitorConfig
from monitor.leaving import leave_now
from monitor.messages import Crop, Logit, Pixels, Verdict
from monitor.parts import load_parts
from monitor.pipeline import Pipeline, PipelineStatistics
from monitor.steps import Parts

Engine = Literal["none", "demo"]
_WARM_S = 3.0
_LIVE_S = 60.0
_STOP_S = 5.0
_LATE_S, _DROPPED = 1.0, 0.01
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
    """Share of the frames due for analysis that a newer one replaced."""
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

    @property
    def too_many(self) -> bool:
        """Whether the machine does not carry them."""
        return self.p95_ms > 1000 * _LATE_S or max(self.unread, self.unsearched, self.unscored) > _DROPPED


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


def main() -> None:
    """Prints one table, and where each curve bends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=64, help="streams that are tried at the most")
    parser.add_argument("--faces", type=int, default=1, choices=(1, 2, 3), help="in each stream")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured, of each row")
    parser.add_argument("--engines", nargs="+", choices=get_args(Engine), default=list(get_args(Engine)))
    parser.add_argument("--plot", type=Path, help="PNG file of the curves")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # that streams begin and end is no news here
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = make_camera_clip(Path(folder) / "clip.mp4", faces=options.faces)
        parts = load_parts(_config(clip, 1))
        print(
            "| encoder | streams | cores | elsewhere | of a stream, ms/s | of the service, ms/s | p50 ms | p95 ms "
            "| crops/s | unread | unsearched | unscored | PSS MB | USS MB |\n|" + 14 * "---|"
        )
        for engine in options.engines:
            chosen = parts if engine == "demo" else replace(parts, encoder=NoEncoder())
            for row in _curve(partial(_measured, engine, chosen, clip, options.seconds), options.most):
                print(_line(row), flush=True)
                found.append(row)
    print()
    for engine in options.engines:
        print(_bend([row for row in found if row.engine == engine]))
    faces = "1 face" if options.faces == 1 else f"{options.faces} faces"
    print(f"\n{faces} a stream, found by {parts.face_detector}; {described('av', 'openvino', 'torch')}")
    if options.plot:
        _plot(found, options.plot)
    leave_now(0)


def _curve(measure: Callable[[int], Row], most: int) -> Iterator[Row]:
    """Twice as many each time until it is too many, and then one in between."""
    streams = 1
    while True:
        yield (row := measure(streams))
        if row.too_many or 2 * streams > most:
            break
        streams *= 2
    if row.too_many and streams > 2:
        yield measure(3 * streams // 4)


def _config(clip: Path, streams: int) -> MonitorConfig:
    watched = [{"name": f"s{number}", "url": f"file:{clip}", "loop": True} for number in range(streams)]
    return MonitorConfig.model_validate({"streams": watched, "encoder": {"weights": "demo"}})


def _measured(engine: Engine, parts: Parts, clip: Path, seconds: float, streams: int) -> Row:
    return asyncio.run(_watch(engine, parts, _config(clip, streams), seconds))


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
    searched = missed = 0
    for name, stream in now.streams.items():
        searched += stream.tracking.analysed - was.streams[name].tracking.analysed
        missed += stream.superseded - was.streams[name].superseded
    lost = [getattr(now.batcher, why) - getattr(was.batcher, why) for why in ("replaced", "stale", "refused")]
    passed_s, streams = after.at_s - before.at_s, len(now.streams)
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
        unsearched=missed / max(1, missed + searched),
        unscored=sum(lost) / max(1, now.batcher.offered - was.batcher.offered),
        pss_mb=memory[0] / streams,
        uss_mb=memory[1] / streams,
    )


def _line(row: Row) -> str:
    dropped = " | ".join(f"{share:.1%}" for share in (row.unread, row.unsearched, row.unscored))
    return (
        f"| {row.engine} | {row.streams}{' (too many)' if row.too_many else ''} "
        f"| {row.cores:.2f} | {row.elsewhere_cores:.2f} | {1000 * row.worker_cores / row.streams:.0f} "
        f"| {1000 * row.service_cores / row.streams:.0f} | {row.p50_ms:.0f} | {row.p95_ms:.0f} "
        f"| {row.scored_per_s:.1f} | {dropped} | {row.pss_mb:.0f} | {row.uss_mb:.0f} |"
    )


def _bend(rows: list[Row]) -> str:
    carried = max((row.streams for row in rows if not row.too_many), default=0)
    beyond = [row for row in rows if row.too_many and row.streams > carried]
    if not beyond:
        return f"encoder {rows[0].engine}: {carried} streams and more"
    row = min(beyond, key=lambda row: row.streams)
    shares = {"unread": row.unread, "unsearched": row.unsearched, "unscored": row.unscored}
    reasons = [f"{share:.1%} {cause}" for cause, share in shares.items() if share > _DROPPED]
    if row.p95_ms > 1000 * _LATE_S:
        reasons.append(f"p95 {row.p95_ms / 1000:.1f} s")
    return (
        f"encoder {row.engine}: {carried} streams are carried, {row.streams} are not ({', '.join(reasons)}); "
        f"{row.cores:.2f} of {os.cpu_count()} cores then, {row.elsewhere_cores:.2f} elsewhere"
    )


def _plot(rows: list[Row], path: Path) -> None:
    """Cores, latency and drops by the number of streams."""
    import matplotlib as mpl  # noqa: PLC0415 - of an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a screen

    figure, (cores, latency, drops) = plt.subplots(1, 3, figsize=(12, 3.6))
    for engine, name in (("none", "no encoder"), ("demo", "demo encoder")):
        curve = sorted((row for row in rows if row.engine == engine), key=lambda row: row.streams)
        if not curve:
            continue
        streams = [row.streams for row in curve]
        cores.plot(streams, [row.cores for row in curve], marker="o", label=name)
        latency.plot(streams, [row.p95_ms for row in curve], marker="o", label=name)
        worst = [100 * max(row.unread, row.unsearched, row.unscored) for row in curve]
        drops.plot(streams, worst, marker="o", label=name)
    cores.axhline(os.cpu_count() or 1, color="grey", linestyle=":")
    latency.axhline(1000 * _LATE_S, color="grey", linestyle=":")
    latency.set_yscale("log")
    drops.axhline(100 * _DROPPED, color="grey", linestyle=":")
    for axis, title in ((cores, "cores used"), (latency, "arrival to logit, p95, ms"), (drops, "dropped, %")):
        axis.set_title(title)
        axis.set_xlabel("streams")
        axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
