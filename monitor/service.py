"""The service: pipeline, store, publisher, notifier and web, started in order and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monitor.actions import new_actions
from monitor.actions.publishing import Publishing
from monitor.calls import Calls
from monitor.clock import LiveClock
from monitor.config import MonitorConfig
from monitor.ending import cancelled, closed
from monitor.errors import StoreError
from monitor.evidence import EvidenceKeeper, Provenances, Writer, new_writer
from monitor.figures import of_logins, of_uploads
from monitor.learning import Learner, new_learner
from monitor.loop_lag import LoopLag
from monitor.messages import Clip, Preview, Status
from monitor.metrics import sample_registry
from monitor.mqtt_config import MqttConfig
from monitor.outlets import Outlets
from monitor.pipeline import Pipeline
from monitor.publish import broker_of
from monitor.recent import RecentFaces
from monitor.reloading import ConfigSource, Reloader
from monitor.steps import Parts
from monitor.store import EpisodeReader, Store
from monitor.taps import Tap
from monitor.uploads import taking_uploads
from monitor.view import View
from monitor.web import OpenedPages, WebServer, create_app, opened_gate

_log = logging.getLogger("monitor.service")

# From SIGTERM to exit 5 s at most: for threads to stop, alerts to be recorded, the outbox to empty, the store to close.
_STOP_THREADS_S = 2.0
_RECORD_S = 1.0
_DRAIN_S = 1.0
_CLOSE_S = 0.4


@dataclass(frozen=True, slots=True)
class Started:
    """Where a running service is reached."""

    web_url: str
    mqtt_url: str


async def serve(
    config: MonitorConfig,
    parts: Parts,
    stop: asyncio.Event,
    on_started: Callable[[Started], None],
    *,
    source: ConfigSource | None = None,
    pages: OpenedPages | None = None,
) -> None:
    """Runs the service until `stop` is set.

    Args:
        config: what to watch and how.
        parts: encoder and face detectors, loaded before.
        stop: asks for an orderly end: readers stop, open alerts are cleared, the outbox is given a last chance.
        on_started: told once everything is up.
        source: where other configurations come from while it runs; None: nothing is taken over until a restart.
        pages: puts pages in front of people; None: there is the API alone.

    Raises:
        MonitorError: a port is in use, the database or the evidence folder cannot be used, or the broker inside cannot
            start; nothing keeps running. Or, at the end, alerts could not be recorded.
    """
    web = WebServer(config.web)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(web.stop)
        mqtt = await stack.enter_async_context(broker_of(config.mqtt))
        learner = await asyncio.to_thread(new_learner, config, parts, LiveClock())
        if learner is not None:
            _log.info("learning into %s", config.decision.learning)
            stack.push_async_callback(asyncio.to_thread, learner.stop, _CLOSE_S)
        url = config.store.url.get_secret_value()
        store = await Store.open(url)
        stack.push_async_callback(closed, store)
        episodes = await EpisodeReader.open(url)
        stack.push_async_callback(closed, episodes)
        provenances = Provenances()
        if config.evidence is not None:
            await asyncio.to_thread(provenances.read, config)
        writer = await asyncio.to_thread(new_writer, config, provenances)
        if writer is not None:
            stack.callback(writer.release)
        running = _Running(config, parts, store, mqtt, provenances=provenances, writer=writer, learner=learner)
        await running.begin()
        gate = await stack.enter_async_context(opened_gate(config.web, url))
        jobs = await stack.enter_async_context(
            taking_uploads(config, parts.face_detector, lambda: running.reloader.config.encoder.adapters)
        )
        actions = new_actions(
            running.reloader,
            running.view,
            episodes,
            running.outlets.live,
            running.outlets.previews,
            recent=running.recent,
            clock=running.clock,
            heed_snoozes=running.outlets.snoozes.read,
            reload=None if source is None else partial(running.reloader.reload, source),
            fingerprint=None if writer is None else writer.signer.fingerprint,
            jobs=jobs,
            publishing=running.publishing,
            calls=running.calls,
            added=None if source is None else source.added,
            amend=running.reloader.amend,
        )
        logins = None if gate is None else gate.login
        figures = sample_registry(running.view.samples, partial(of_uploads, jobs), partial(of_logins, logins))
        app = create_app(
            config.web, running.view.health, figures, gate=gate, publishing=running.publishing, actions=actions
        )
        if pages is not None:
            await stack.enter_async_context(pages(app, actions, gate))
        serving = asyncio.create_task(web.run(app), name="web")
        stack.push_async_callback(_finish, serving, web)
        stack.callback(running.outlets.live.broadcast.close)
        stack.callback(running.outlets.previews.close)
        await running.run(stop, lambda: on_started(Started(web.url, mqtt.url)), source)


async def _finish(serving: asyncio.Task[None], web: WebServer) -> None:
    web.stop()
    await serving


class _Running:
    """The parts that live between start and stop, and the messages that pass between them."""

    def __init__(
        self,
        config: MonitorConfig,
        parts: Parts,
        store: Store,
        mqtt: MqttConfig,
        *,
        provenances: Provenances,
        writer: Writer | None,
        learner: Learner | None,
    ) -> None:
        self._store = store
        self._learner = learner
        self._provenances = provenances
        self._writer = writer
        self._evidence: EvidenceKeeper | None = None
        if writer is not None and config.evidence is not None:
            self._evidence = EvidenceKeeper(config.evidence, writer, self._request_clip, parts.adapters.sha256)
        self.recent = RecentFaces()
        taps: list[Tap] = [self.recent]
        if self._evidence is not None:
            taps.append(self._evidence.memory)
        if learner is not None:
            taps.append(learner)
        on_spare = None if learner is None else learner.spare
        self._pipeline = Pipeline(
            config, parts, run_id=str(store.run_id), taps=taps, on_spare=on_spare, on_preview=self._preview
        )
        self.clock = LiveClock()
        self.outlets = Outlets(
            self._pipeline,
            store,
            mqtt,
            config.notify,
            clock=self.clock,
            recent=self.recent,
            evidence=self._evidence,
            statuses=self._statuses,
        )
        self.reloader = Reloader(config, parts, self._pipeline, self)
        self.calls = Calls(self._pipeline, self.reloader, self.outlets.call_changed)
        self.publishing = Publishing(
            self._pipeline.requests,
            self.reloader.stream,
            config.webrtc.ice_servers,
            calls=self.calls,
            configured=lambda: self.reloader.config.streams,
            keeps_evidence=config.evidence is not None,
            locked=config.web.auth is not None,
        )
        self._loop_lag = LoopLag()
        self.view = View(
            pipeline=self._pipeline,
            store=store,
            recorder=self.outlets.recorder,
            publisher=self.outlets.publisher,
            notifier=self.outlets.notifier,
            snoozes=self.outlets.snoozes,
            live=self.outlets.live,
            calls=self.calls,
            evidence=self._evidence,
            learner=learner,
            previews=self.outlets.previews,
            loop_lag=self._loop_lag,
        )

    async def begin(self) -> None:
        """Closes what a former run left open, so that nothing stands that nobody holds."""
        self.outlets.notifier.warn_of_strangers(self._store.statistics().waiting)
        await self.outlets.snoozes.read()
        closed = await self._store.close_open_episodes(self.outlets.sinks)
        left_open = {alert.stream for alert in closed if alert.call_of is None}
        configured = [stream.name for stream in self.reloader.config.streams]
        await self.begin_streams(configured)
        self.end_streams(left_open - set(configured))
        for call in {alert.stream for alert in closed if alert.call_of is not None}:
            self.outlets.publisher.forget(call)

    async def prepare(self, config: MonitorConfig) -> None:
        """Another configuration is about to be taken over: see `StreamKeeper`."""
        if self._writer is not None:
            await asyncio.to_thread(self._provenances.read, config)

    async def begin_streams(self, streams: Iterable[str]) -> None:
        """They are watched in a moment; what a session has raised before counts, where alerts are counted."""
        self._provenances.take_over()
        most_alerts = self.reloader.config.decision.max_alerts_per_session
        for stream in streams:
            self.outlets.begin_stream(stream)
            if self.reloader.parts.calibrations.of(stream) is not None:
                self._pipeline.recall(await self._store.last_raised(stream, most_alerts))

    async def end_calls(self, streams: Collection[str]) -> None:
        """They are watched no more in a moment, or anew, and with them end their calls."""
        await self.calls.end_of(streams, "configuration changed")

    def end_streams(self, streams: Iterable[str]) -> None:
        """They are not watched any more."""
        self.outlets.end_streams(streams)

    async def run(
        self,
        stop: asyncio.Event,
        on_started: Callable[[], None],
        source: ConfigSource | None,
    ) -> None:
        for status in self.view.statuses():
            self.outlets.put(status)
        publishing = asyncio.create_task(self.outlets.publisher.run(), name="publish")
        notifying = asyncio.create_task(self.outlets.notifier.run(), name="notify")
        recording = asyncio.create_task(self.outlets.recorder.run(), name="record")
        deciding = asyncio.create_task(self._pipeline.run(self.outlets.put), name="pipeline")
        telling = asyncio.create_task(self.outlets.tell_status(), name="status")
        snoozing = asyncio.create_task(self.outlets.snoozes.run(), name="snoozes")
        watching = [
            asyncio.create_task(self.calls.run(), name="calls"),
            asyncio.create_task(self._loop_lag.run(), name="loop lag"),
        ]
        if self._learner is not None:
            self._learner.begin(self._pipeline)
            watching.append(asyncio.create_task(self._learner.run(), name="learn"))
        if source is not None:
            watching.append(asyncio.create_task(self.reloader.follow(source), name="reload"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        if self._writer is not None:
            self._writer.start()
        on_started()
        try:
            await asyncio.wait(
                [publishing, notifying, recording, deciding, telling, snoozing, *watching, stopping],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            stopping.cancel()
            errors = await cancelled(deciding, telling, snoozing, *watching)
            await self._pipeline.stop(self.outlets.put, _STOP_THREADS_S)
            self.outlets.recorder.close()
            # Never cancelled while it works: an alert half recorded is neither lost nor kept.
            await asyncio.wait([recording], timeout=_RECORD_S)
            self.calls.forget_all()
            if waiting := self.outlets.recorder.statistics().waiting:
                failure = self.outlets.recorder.failure or "there was no time"
                alerts = "1 alert" if waiting == 1 else f"{waiting} alerts"
                errors.append(StoreError(f"{alerts} could not be recorded before the end: {failure}"))
                await self._finish_files(_DRAIN_S)
            else:  # a store that does not answer has nothing to deliver
                await asyncio.gather(self.outlets.drain(_DRAIN_S), self._finish_files(_DRAIN_S))
            errors += await cancelled(publishing, notifying, recording)
            await self.outlets.publisher.aclose()
        # None of the tasks ends by itself: if one did, its error is the service's.
        if errors:
            raise errors[0]

    def _statuses(self) -> list[Status]:
        return self.view.statuses()

    def _preview(self, preview: Preview) -> None:
        self.outlets.previews.put(preview)

    def _request_clip(self, stream: str, stem: Path) -> Future[Clip]:
        return self._pipeline.requests.write_clip(stream, stem)

    async def _finish_files(self, timeout_s: float) -> None:
        finishing: list[Awaitable[object]] = []
        if self._learner is not None:
            finishing.append(asyncio.to_thread(self._learner.stop, timeout_s))
        if self._writer is not None:
            self._writer.close()
            finishing.append(asyncio.to_thread(self._writer.join, timeout_s))
        await asyncio.gather(*finishing)
