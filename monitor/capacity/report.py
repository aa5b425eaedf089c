"""`gend-monitor check --capacity`: measures the encoder and every stream that can be opened, and what that makes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gend.errors import GendError
from monitor.capacity.answer import Answer, capacity_of
from monitor.capacity.costs import EncoderCost, Machine, StreamCost
from monitor.capacity.encoder import measure_encoder
from monitor.capacity.machine import this_machine
from monitor.capacity.streams import measure_stream
from monitor.config import MonitorConfig
from monitor.errors import MonitorError, SourceError
from monitor.parts import load_parts
from monitor.steps import worker_plan
from monitor.stream_config import PUBLISHED, StreamConfig
from monitor.worker import WorkerPlan

Progress = Callable[[str, float], None]
"""Told what is measured, and the part of it that is done, 0 to 1."""

_ENCODER_S = 3.0


@dataclass(frozen=True, slots=True)
class StreamMeasurement:
    """One configured stream: what it took, or why that is not known."""

    stream: str
    cost: StreamCost | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """How many streams like the configured ones this machine carries; `answer` is None where `error` says why."""

    machine: Machine | None = None
    encoder: EncoderCost | None = None
    streams: tuple[StreamMeasurement, ...] = ()
    answer: Answer | None = None
    error: str | None = None


def measure_capacity(
    config: MonitorConfig, opened: Collection[str], *, seconds: float, open_s: float, progress: Progress
) -> CapacityReport:
    """Loads the encoder, measures it, and then the streams, half as many at a time as there are cores.

    Args:
        config: what is watched, and how.
        opened: names of the streams that can be opened.
        seconds: how long each stream is measured.
        open_s: given to each until its first picture.
        progress: may be called from several threads.
    """
    unmeasured = {stream.name: _unmeasurable(stream, opened) for stream in config.streams}
    if all(unmeasured.values()):
        streams = tuple(StreamMeasurement(name, error=why) for name, why in unmeasured.items())
        return CapacityReport(streams=streams, error="no stream can be measured")
    progress("loading the encoder", 0.0)
    try:
        parts = load_parts(config)
        progress("loading the encoder", 1.0)
        batch = config.encoder.max_batch
        encoder = measure_encoder(parts, batch, _ENCODER_S, lambda part: progress("the encoder", part))
    except (GendError, MonitorError) as error:
        return CapacityReport(error=str(error))
    machine = this_machine()
    over = threading.Event()

    def tell(what: str, part: float) -> None:
        if over.is_set():
            raise SourceError("nobody waits for it any more")
        progress(what, part)

    def measure(stream: StreamConfig) -> StreamMeasurement:
        if (why := unmeasured[stream.name]) is not None:
            return StreamMeasurement(stream.name, error=why)
        return _measure(worker_plan(config, stream, parts), seconds, open_s, tell)

    with ThreadPoolExecutor(max(1, int(machine.cores / 2))) as pool:
        try:
            streams = tuple(pool.map(measure, config.streams))
        except BaseException:  # Ctrl-C: those that are being measured end at once, the others do not begin
            over.set()
            raise
    costs = [stream.cost for stream in streams if stream.cost is not None]
    if not costs:
        return CapacityReport(machine, encoder, streams, error="no stream could be measured")
    return CapacityReport(machine, encoder, streams, capacity_of(machine, costs, encoder, config.faces.crops_per_s))


def _unmeasurable(stream: StreamConfig, opened: Collection[str]) -> str | None:
    """Why a stream is not even tried."""
    if stream.scheme == PUBLISHED:
        return "not measured: nobody publishes to it while this is checked"
    return None if stream.name in opened else "not measured: it cannot be opened"


def _measure(plan: WorkerPlan, seconds: float, open_s: float, progress: Progress) -> StreamMeasurement:
    name = plan.stream.name
    try:
        cost = measure_stream(plan, seconds, open_s, lambda part: progress(name, part))
    except MonitorError as error:
        return StreamMeasurement(name, error=f"not measured: {error}")
    return StreamMeasurement(name, cost)
