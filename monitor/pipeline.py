"""Ingest to decision for live streams, which drop what is too much; recordings go the same way in `recorded.py`.

Only these two and `steps.py` know the steps up to decision. Messages go one way; `Demand`, and requests for a clip or
of a publisher, alone go back, and are handed on here, never by import.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.clock import Clock, LiveClock, epoch_s
from monitor.config import MonitorConfig
from monitor.decision import Decision, DecisionStatistics
from monitor.ingest import SourceStatus
from monitor.isolation import IsolatedWorker
from monitor.kin import Kin
from monitor.mailbox import Mailbox, MailboxStatistics
from monitor.messages import (
    Alert,
    Crop,
    Demand,
    Event,
    Logit,
    Look,
    Preview,
    Status,
    Tracked,
    TrackObservation,
    Verdict,
)
from monitor.requests import Requests
from monitor.scoring import Batcher, BatcherStatistics, Worker, WorkerStatistics
from monitor.shortage import Shortage
from monitor.steps import Parts, new_decision, statistic_of, worker_plan
from monitor.stream_config import StreamConfig
from monitor.stream_status import stream_status
from monitor.taps import Tap
from monitor.usage import Usage
from monitor.worker import StreamWorker, track_ids
from monitor.worker import WorkerStatistics as StreamStatistics

_log = logging.getLogger("monitor.pipeline")

_MAILBOX_CAPACITY = 4096
_STATUS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """A snapshot of every queue and step."""

    streams: dict[str, StreamStatistics]
    batcher: BatcherStatistics
    worker: WorkerStatistics
    mailbox: MailboxStatistics
    decision: DecisionStatistics
    dropped_share: float
    """Of the crops offered in the last minute, how many the encoder never looked at because it was too slow, 0 to 1."""
    requests: int
    """To streams' workers, that are not answered yet."""
    now_s: float
    """On the clock of all `at_s`."""
    encoder_restarts: int = 0
    encoder_usage: Usage | None = None
    """Of its process; None where it has none of its own."""


Output = Verdict | Alert | Event | Status


class Pipeline:
    """Live streams, from their readers to verdicts and alerts.

    Args:
        config: the whole configuration.
        parts: encoder and face detectors.
        run_id: makes track ids unique over restarts.
        clock: the pipeline's clock.
        taps: shown every crop, logit and verdict.
        on_spare: takes the encoder's answers to what was offered by `offer_spare`; called from its thread.
        on_preview: takes what was asked for by `look`; called from the streams' threads.

    Attributes:
        kin: streams that come and go, and after which they are made.
        requests: asks the streams' workers for clips, and for publishers' connections.
        epoch_s: when the UTC epoch began, on the pipeline's clock; sessions are aligned by it.
    """

    def __init__(
        self,
        config: MonitorConfig,
        parts: Parts,
        *,
        run_id: str,
        clock: Clock | None = None,
        taps: Sequence[Tap] = (),
        on_spare: Callable[[Logit], None] | None = None,
        on_preview: Callable[[Preview], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._parts = parts
        self.kin = Kin()
        self._clock = clock or LiveClock()
        self._mailbox: Mailbox[TrackObservation | Logit | SourceStatus] = Mailbox(
            _MAILBOX_CAPACITY, asyncio.get_running_loop()
        )
        self._batcher = Batcher(config.encoder.max_batch, config.encoder.max_age_s)
        self._scorer = Worker(
            self._batcher,
            parts.encoder,
            parts.model.weights,
            on_logits=self._receive_logits,
            clock=self._clock,
            on_spare=on_spare,
            on_hang=None if parts.process is None else parts.process.give_up,
        )
        self.epoch_s = epoch_s(self._clock)
        self._decision = self._new_decision()
        self._taps = tuple(taps)
        self._on_preview = on_preview
        self._run_id = run_id
        self._numbers = itertools.count(1)
        self._workers: dict[str, StreamWorker | IsolatedWorker] = {}
        self.requests = Requests(self._workers)
        self._shortage = Shortage()
        self._sources: dict[str, SourceStatus] = {}
        self._on_output: Callable[[Output], None] | None = None  # while it runs
        for stream in config.streams:
            if not stream.many:
                self._add(stream.name, self._worker(stream))

    def _new_decision(self) -> Decision:
        def new_id() -> str:
            return uuid.uuid4().hex

        return new_decision(self._config, self._parts, self._clock, new_id, epoch_s=self.epoch_s, kin=self.kin)

    def _new_prefix(self) -> str:
        return f"{self._run_id}-{next(self._numbers)}"

    def _worker(self, stream: StreamConfig) -> StreamWorker | IsolatedWorker:
        plan = worker_plan(self._config, stream, self._parts)
        if self._config.workers.isolation == "process":
            return IsolatedWorker(
                plan,
                new_prefix=self._new_prefix,
                clock=self._clock,
                on_message=self._receive,
                on_status=self._receive_status,
                on_answer=self.requests.answer,
            )
        return StreamWorker(
            stream,
            plan.tracking(track_ids(self._new_prefix())),
            self._clock,
            on_message=self._receive,
            on_status=self._receive_status,
            webrtc=plan.webrtc,
            ring=plan.ring,
            on_answer=self.requests.answer,
        )

    async def run(self, on_output: Callable[[Output], None]) -> None:
        """Starts every thread and hands over what is decided, until cancelled; then call `stop`."""
        self._scorer.start()
        self._on_output = on_output
        for worker in self._workers.values():
            worker.start()
        while True:
            try:
                async with asyncio.timeout(_STATUS_EVERY_S):
                    messages = await self._mailbox.take()
            except TimeoutError:
                messages = []
            self._handle(messages, on_output)
            if self._shortage.due(self._clock.now_s()):
                self._shortage.look(self._batcher.statistics(), self._clock.now_s())

    async def watch(self, stream: StreamConfig, *, after: str | None = None) -> None:
        """Begins to watch a stream, which is not watched yet; at once where the pipeline runs.

        One of `sessions: many` is not watched itself, and nothing is done.

        Args:
            stream: what is watched.
            after: the configured stream after which this one is made, for a time: its calibration and adapter judge
                it, and its session is its own life. None: it is a configured one.

        Raises:
            GendError: the face detector cannot be had; only where workers are threads.
        """
        if stream.many:
            return
        worker = await asyncio.to_thread(self._worker, stream)
        if after is not None:
            self.kin.add(stream.name, after)
            self._decision.begin(stream.name, self._clock.now_s())
        self._add(stream.name, worker)
        if self._on_output is not None:
            worker.start()
            self._on_output(self._status(stream.name))

    def _add(self, name: str, worker: StreamWorker | IsolatedWorker) -> None:
        self._sources[name] = SourceStatus(name, "connecting", self._clock.now_s(), None)
        self._workers[name] = worker

    async def unwatch(self, streams: Iterable[str], reason: str, timeout_s: float) -> None:
        """Watches some streams no more: stops them together, decides what was seen, and clears what stands.

        Args:
            streams: which; those that are not watched are passed over.
            reason: stands in what is cleared.
            timeout_s: for threads to end; one that is still blocked then is left behind with a warning.
        """
        leaving = {name: self._workers[name] for name in streams if name in self._workers}
        for worker in leaving.values():
            worker.ask_to_stop()
        deadline_s = time.monotonic() + timeout_s
        await asyncio.to_thread(lambda: [worker.join(deadline_s) for worker in leaving.values()])
        # What they have sent is there by now, and nothing of theirs comes after it but the encoder's answers.
        self._handle(self._mailbox.take_now(), self._told)
        self._close(leaving, reason, self._told)
        for name in leaving:
            self._decision.forget(name)
            self._batcher.forget_stream(name)
            self._workers.pop(name, None)
            self._sources.pop(name, None)
            self.kin.discard(name)

    def take_over(self, config: MonitorConfig, parts: Parts) -> None:
        """Makes and judges what is watched from now on by another configuration.

        Args:
            config: the whole of it. Of `encoder`, nothing is taken over here; where `decision` is another, no stream
                may be watched at this moment.
            parts: of the same encoder.
        """
        anew = config.decision != self._config.decision
        self._config, self._parts = config, parts
        if anew:
            self._decision = self._new_decision()
        else:
            self._decision.judge_by(statistic_of(config, parts, self.kin))

    async def stop(self, on_output: Callable[[Output], None], timeout_s: float) -> None:
        """Stops readers, scores nothing more, decides what was seen, and clears what stands.

        A thread that is still blocked after `timeout_s` is left behind with a warning.
        """
        # All are asked first, then waited for in one thread: a pool of them would stop a few at a time.
        self._scorer.ask_to_stop()
        workers = list(self._workers.values())  # some may be just ending
        for worker in workers:
            worker.ask_to_stop()
        await asyncio.to_thread(self._join, workers, time.monotonic() + timeout_s)
        self._handle(self._mailbox.take_now(), on_output)
        self._close(list(self._workers), "stopped", on_output)

    def _close(self, streams: Iterable[str], reason: str, on_output: Callable[[Output], None]) -> None:
        for output in self._decision.close(streams, reason):
            if not isinstance(output, Demand):
                self._tell(output, on_output)

    def _told(self, output: Output) -> None:
        if self._on_output is not None:
            self._on_output(output)

    def _join(self, workers: Iterable[StreamWorker | IsolatedWorker], deadline_s: float) -> None:
        self._scorer.stop(deadline_s - time.monotonic())
        for worker in workers:
            worker.join(deadline_s)

    def statuses(self) -> list[Status]:
        """The state of every stream now."""
        starved = self._decision.starved()
        return [self._status(name, starved) for name in self._workers]

    def statistics(self) -> PipelineStatistics:
        """A snapshot of every queue and step."""
        process = self._parts.process
        return PipelineStatistics(
            {name: worker.statistics() for name, worker in self._workers.items()},
            self._batcher.statistics(),
            self._scorer.statistics(),
            self._mailbox.statistics(),
            self._decision.statistics(),
            self._shortage.share,
            self.requests.waiting,
            self._clock.now_s(),
            encoder_restarts=0 if process is None else process.restarts,
            encoder_usage=None if process is None else process.usage,
        )

    def watching(self) -> list[str]:
        """Streams that are live, analysed and scored now."""
        if self.scoring_failure is not None:
            return []
        return [
            name
            for name, worker in self._workers.items()
            if self._sources[name].state == "live" and worker.failure is None
        ]

    def recall(self, alerts: Iterable[Alert]) -> None:
        """Has those count that were raised before a restart, in sessions that last."""
        self._decision.recall(alerts)

    def offer_spare(self, crop: Crop) -> bool:
        """Leaves a crop that is no stream's to be scored when nothing else waits; False where enough such wait."""
        return self._batcher.offer_spare(replace(crop, adapter=self._adapter(crop.stream)))

    def starved(self) -> Mapping[str, int]:
        """Faces whose crops wait too long to be scored, now, of the streams that have some."""
        return self._decision.starved()

    @property
    def scoring_failure(self) -> str | None:
        """Why no crop is scored: the encoder fails, hangs or is being replaced; None while it works."""
        process = self._parts.process
        lost = None if process is None else process.failure
        return self._scorer.failure or (None if lost is None else f"scoring fails: {lost}")

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on the stream, or on one that is made after it."""
        return any(self._decision.alerting(name) for name in (stream, *self.kin.made_after(stream)))

    def source(self, stream: str) -> SourceStatus | None:
        """Where a stream stands, by the last word of its worker; None where it is not watched."""
        return self._sources.get(stream)

    def drift(self, stream: str) -> str | None:
        """What of the stream's scores no longer fits its calibration; None while all does, or nobody can tell."""
        return self._decision.drift(stream)

    def look(self, stream: str, for_s: float) -> None:
        """Has previews of a stream made for so long from now on; of one that is not watched there are none."""
        if stream in self._workers:
            self._workers[stream].look(Look(stream, self._clock.now_s() + for_s))

    def _receive(self, message: Tracked) -> None:
        if message.stream not in self._workers:
            return  # of a thread that was blocked when its stream was watched no more, and left behind
        if isinstance(message, Preview):
            self._on_preview(message)
            return
        if isinstance(message, Crop):
            for tap in self._taps:
                tap.crop(message)
            self._batcher.offer(replace(message, adapter=self._adapter(message.stream)))
            return
        dropped, starved = self._batcher.settle(message.stream, message.track)
        self._mailbox.put(replace(message, dropped=dropped, starved=starved), keep=message.ended)
        if message.ended:
            self._batcher.forget(message.stream, message.track)

    def _adapter(self, stream: str) -> str | None:
        return self._parts.adapters.of(self.kin.of(stream))

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
            if message.stream not in self._workers:
                continue  # the encoder's answer to a crop of a stream that is watched no more
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
        if isinstance(output, Alert) and self.kin.passing(output.stream):
            output = replace(output, call_of=self.kin.of(output.stream))
        on_output(output)

    def _status(self, name: str, starved: Container[str] | None = None) -> Status:
        starved = self._decision.starved() if starved is None else starved
        worker = self._workers[name]
        return stream_status(
            self._sources[name],
            worker.statistics(),
            self._clock,
            failures=(worker.failure, self.scoring_failure),
            drift=self._decision.drift(name),
            starved=name in starved,
            notices=self._parts.encoder.notices,
        )
