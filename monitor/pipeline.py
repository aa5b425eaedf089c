"""Ingest to decision, wired once: live streams drop what is too much, recordings block and are deterministic.

Only this module knows the steps up to decision. Messages go one way; `Demand`, and the request for a clip, alone go
back, and are handed on here, never by import.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from gend.faces import FaceDetector
from gend.preprocess import encoder_input
from gend.resample import Interpolation
from monitor.adapters import StreamAdapters
from monitor.clips import ClipAnswers, RingPlan
from monitor.clock import Clock, LiveClock, RecordingClock
from monitor.config import MonitorConfig, StreamConfig
from monitor.decision import Calibration, Decision, DecisionStatistics, calibrated, uncalibrated
from monitor.ingest import SourceStatus, read_file
from monitor.isolation import IsolatedWorker
from monitor.mailbox import Mailbox, MailboxStatistics
from monitor.messages import (
    Alert,
    Clip,
    Crop,
    Demand,
    Event,
    Logit,
    ModelIdentity,
    Status,
    TrackObservation,
    Verdict,
)
from monitor.scoring import Batcher, BatcherStatistics, Worker, WorkerStatistics, score
from monitor.scoring import Encoder as ScoringEncoder
from monitor.taps import Tap
from monitor.worker import StreamWorker, WorkerPlan, track_ids
from monitor.worker import WorkerStatistics as StreamStatistics

_log = logging.getLogger("monitor.pipeline")

_MAILBOX_CAPACITY = 4096
_STATUS_EVERY_S = 1.0


class Encoder(ScoringEncoder, Protocol):
    """What a pipeline needs of the detector; `gend.model.Detector` is one."""

    @property
    def input_px(self) -> int:
        """Side of the encoder's input, pixels."""

    @property
    def interpolation(self) -> Interpolation:
        """How crops are resized to it."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What must be said wherever its answers are shown."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of besides its configuration; loaded once, before anything starts."""

    encoder: Encoder
    model: ModelIdentity
    new_face_detector: Callable[[], FaceDetector]
    """Makes a detector for one stream, in the process that will use it: can be pickled."""
    adapters: StreamAdapters = field(default_factory=StreamAdapters)
    """Which fine-tune of the encoder judges which stream."""
    face_detector: str = "auto"
    """Name of the face detector."""
    calibration: Calibration | None = None
    """What false alarms are measured by; None where nobody has."""


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """A snapshot of every queue and step."""

    streams: dict[str, StreamStatistics]
    batcher: BatcherStatistics
    worker: WorkerStatistics
    mailbox: MailboxStatistics
    decision: DecisionStatistics


Output = Verdict | Alert | Event | Status


class Pipeline:
    """Live streams, from their readers to verdicts and alerts.

    Args:
        config: the whole configuration.
        parts: encoder and face detectors.
        run_id: makes track ids unique over restarts.
        clock: the pipeline's clock.
        taps: shown every crop, logit and verdict.
    """

    def __init__(
        self,
        config: MonitorConfig,
        parts: Parts,
        *,
        run_id: str,
        clock: Clock | None = None,
        taps: Sequence[Tap] = (),
    ) -> None:
        self._parts = parts
        self._clock = clock or LiveClock()
        self._mailbox: Mailbox[TrackObservation | Logit | SourceStatus] = Mailbox(
            _MAILBOX_CAPACITY, asyncio.get_running_loop()
        )
        self._batcher = Batcher(config.encoder.max_batch, config.encoder.max_age_s)
        self._scorer = Worker(
            self._batcher, parts.encoder, parts.model.weights, on_logits=self._receive_logits, clock=self._clock
        )
        self._decision = _decision(config, parts, self._clock, lambda: uuid.uuid4().hex)
        self._taps = tuple(taps)
        self._clips = ClipAnswers()
        numbers = itertools.count(1)
        self._workers = {
            stream.name: self._worker(config, stream, new_prefix=lambda: f"{run_id}-{next(numbers)}")
            for stream in config.streams
        }
        self._sources = {name: SourceStatus(name, "connecting", self._clock.now_s(), None) for name in self._workers}

    def _worker(
        self, config: MonitorConfig, stream: StreamConfig, *, new_prefix: Callable[[], str]
    ) -> StreamWorker | IsolatedWorker:
        plan = _plan(config, stream, self._parts)
        if config.workers.isolation == "process":
            return IsolatedWorker(
                plan,
                new_prefix=new_prefix,
                clock=self._clock,
                on_message=self._receive,
                on_status=self._receive_status,
                on_clip=self._clips.answer,
            )
        return StreamWorker(
            stream,
            plan.tracking(track_ids(new_prefix())),
            self._clock,
            on_message=self._receive,
            on_status=self._receive_status,
            ring=plan.ring,
            on_clip=self._clips.answer,
        )

    async def run(self, on_output: Callable[[Output], None]) -> None:
        """Starts every thread and hands over what is decided, until cancelled; then call `stop`."""
        self._scorer.start()
        for worker in self._workers.values():
            worker.start()
        while True:
            try:
                async with asyncio.timeout(_STATUS_EVERY_S):
                    messages = await self._mailbox.take()
            except TimeoutError:
                messages = []
            self._handle(messages, on_output)

    async def stop(self, on_output: Callable[[Output], None], timeout_s: float) -> None:
        """Stops readers, scores nothing more, decides what was seen, and clears what stands.

        A thread that is still blocked after `timeout_s` is left behind with a warning.
        """
        # All are asked first, then waited for in one thread: a pool of them would stop a few at a time.
        self._scorer.ask_to_stop()
        for worker in self._workers.values():
            worker.ask_to_stop()
        await asyncio.to_thread(self._join, time.monotonic() + timeout_s)
        self._handle(self._mailbox.take_now(), on_output)
        for output in self._decision.close(self._workers, "stopped"):
            if not isinstance(output, Demand):
                self._tell(output, on_output)

    def _join(self, deadline_s: float) -> None:
        self._scorer.stop(deadline_s - time.monotonic())
        for worker in self._workers.values():
            worker.join(deadline_s)

    def statuses(self) -> list[Status]:
        """The state of every stream now."""
        return [self._status(name) for name in self._workers]

    def statistics(self) -> PipelineStatistics:
        """A snapshot of every queue and step."""
        return PipelineStatistics(
            {name: worker.statistics() for name, worker in self._workers.items()},
            self._batcher.statistics(),
            self._scorer.statistics(),
            self._mailbox.statistics(),
            self._decision.statistics(),
        )

    @property
    def scoring_failure(self) -> str | None:
        """Why no crop is scored: the encoder fails or hangs; None while it works."""
        return self._scorer.failure

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on the stream."""
        return self._decision.alerting(stream)

    def write_clip(self, stream: str, stem: Path) -> Future[Clip]:
        """Has a stream's last seconds written to a file; returns at once.

        Args:
            stream: whose.
            stem: the file's path without its suffix, in a folder that exists.

        Returns:
            What comes of it. A process that hangs may never answer.
        """
        request, answer = self._clips.ask(stream, stem)
        self._workers[stream].write_clip(request)
        return answer

    def _receive(self, message: Crop | TrackObservation) -> None:
        if isinstance(message, Crop):
            for tap in self._taps:
                tap.crop(message)
            self._batcher.offer(replace(message, adapter=self._parts.adapters.of(message.stream)))
            return
        dropped, starved = self._batcher.settle(message.stream, message.track)
        self._mailbox.put(replace(message, dropped=dropped, starved=starved), keep=message.ended)
        if message.ended:
            self._batcher.forget(message.stream, message.track)

    def _receive_status(self, status: SourceStatus) -> None:
        self._mailbox.put(status, keep=True)

    def _receive_logits(self, logits: list[Logit]) -> None:
        for logit in logits:
            for tap in self._taps:
                tap.logit(logit)
            self._mailbox.put(logit)

    def _handle(
        self, messages: list[TrackObservation | Logit | SourceStatus], on_output: Callable[[Output], None]
    ) -> None:
        for message in messages:
            if isinstance(message, SourceStatus):
                self._sources[message.stream] = message
                on_output(self._status(message.stream))
                continue
            decision = self._decision
            decided = decision.score(message) if isinstance(message, Logit) else decision.observe(message)
            for output in decided:
                if isinstance(output, Demand):
                    self._batcher.demand(output)
                    self._workers[output.stream].demand(output)
                else:
                    self._tell(output, on_output)

    def _tell(self, output: Output, on_output: Callable[[Output], None]) -> None:
        if isinstance(output, Verdict):
            for tap in self._taps:
                tap.verdict(output)
        on_output(output)

    def _status(self, name: str) -> Status:
        source, worker = self._sources[name], self._workers[name]
        statistics = worker.statistics()
        degraded = [statistics.tracking.degraded, worker.failure, self.scoring_failure, *self._parts.encoder.notices]
        reader = statistics.reader
        return Status(
            name,
            source.state,
            since=self._clock.wall(source.since_s),
            degraded=tuple(reason for reason in degraded if reason),
            reason=source.reason,
            fps=round(reader.fps, 1) if source.state == "live" else 0.0,
            faces=statistics.tracking.faces if source.state == "live" else 0,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What the steps before decision made of one frame of a recording."""

    at_s: float
    crops: list[Crop]
    logits: list[Logit]
    """One for each of `crops`, in their order."""
    observations: list[TrackObservation]


class Recording:
    """A recording on its way to decision: nothing is dropped, and equal input gives equal output.

    Args:
        path: the video.
        config: `faces` and `encoder` are used.
        parts: encoder and face detectors.
        stream: the name under which it is seen.
    """

    def __init__(self, path: Path, config: MonitorConfig, parts: Parts, *, stream: str) -> None:
        self._path = path
        self._stream = stream
        self._parts = parts
        self._batch = config.encoder.max_batch
        stream_config = StreamConfig.model_validate({"name": stream, "url": f"file:{path}"})
        self._tracking = _plan(config, stream_config, parts).tracking(track_ids("replay"))

    def demand(self, demand: Demand) -> None:
        """Changes how often a track is sampled, from the next frame on."""
        self._tracking.demand(demand)

    def frames(self) -> Iterator[Seen]:
        """Every frame in order, and once more what the last second held.

        Raises:
            SourceError: no such file, or no video in it.
        """
        at_s = 0.0
        for frame in read_file(self._path, self._stream):
            at_s = frame.at_s
            yield self._seen(at_s, self._tracking.process(frame) if self._tracking.due(at_s) else [])
        yield self._seen(at_s, [*self._tracking.flush(at_s)])

    def _seen(self, at_s: float, messages: list[Crop | TrackObservation]) -> Seen:
        adapter = self._parts.adapters.of(self._stream)
        crops = [replace(message, adapter=adapter) for message in messages if isinstance(message, Crop)]
        observations = [message for message in messages if isinstance(message, TrackObservation)]
        return Seen(at_s, crops, score_all(crops, self._parts, self._batch), observations)


def score_all(crops: list[Crop], parts: Parts, batch: int) -> list[Logit]:
    """The encoder's answers to crops, in their order, `batch` at a time."""
    return [
        logit
        for start in range(0, len(crops), batch)
        for logit in score(parts.encoder, crops[start : start + batch], parts.model.weights)
    ]


def replay(
    path: Path, config: MonitorConfig, parts: Parts, *, stream: str, started: datetime
) -> Iterator[tuple[float, list[Verdict | Alert | Event]]]:
    """Runs a recording through the same steps as a live stream.

    Args:
        path: the video.
        config: `faces`, `encoder` and `decision` are used.
        parts: encoder, face detectors and calibration.
        stream: the name under which it is judged.
        started: time of day of its first frame.

    Yields:
        For each frame read, its time in seconds and what was decided at it.

    Raises:
        SourceError: no such file, or no video in it.
    """
    clock = RecordingClock(started)
    numbers, sequence = itertools.count(1), itertools.count(1)
    space = uuid.uuid5(uuid.NAMESPACE_URL, f"{stream}@{started.isoformat()}")
    decision = _decision(config, parts, clock, lambda: uuid.uuid5(space, str(next(numbers))).hex)
    recording = Recording(path, config, parts, stream=stream)
    for seen in recording.frames():
        clock.advance(seen.at_s)
        outputs = [output for logit in seen.logits for output in decision.score(logit)]
        outputs += [output for observation in seen.observations for output in decision.observe(observation)]
        decided: list[Verdict | Alert | Event] = []
        for output in outputs:
            if isinstance(output, Demand):
                recording.demand(output)
            elif isinstance(output, Alert):
                decided.append(replace(output, sequence=next(sequence)))
            else:
                decided.append(output)
        yield seen.at_s, decided


def _decision(config: MonitorConfig, parts: Parts, clock: Clock, new_id: Callable[[], str]) -> Decision:
    if parts.calibration is None:
        statistic = uncalibrated(config.decision)
    else:
        statistic = calibrated(parts.calibration, config.decision)
    return Decision(
        config.decision,
        statistic,
        clock=clock,
        model_of=lambda stream: replace(parts.model, adapter=parts.adapters.of(stream)),
        notices=parts.encoder.notices,
        new_id=new_id,
        base_crops_per_s=config.faces.crops_per_s,
        max_crops_per_s=config.faces.max_crops_per_s,
    )


def _plan(config: MonitorConfig, stream: StreamConfig, parts: Parts) -> WorkerPlan:
    encoder = parts.encoder
    prepare = partial(encoder_input, input_px=encoder.input_px, interpolation=encoder.interpolation)
    return WorkerPlan(stream, config.faces, parts.new_face_detector, prepare, _ring(config))


def _ring(config: MonitorConfig) -> RingPlan | None:
    evidence = config.evidence
    if evidence is None or not evidence.clip_s:
        return None
    return RingPlan(evidence.clip_s, round(evidence.clip_mb * 1e6))
