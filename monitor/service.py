"""The service: pipeline, store, publisher, notifier and web, started in order and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from monitor import payloads
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
from monitor.live import Live
from monitor.logs import of_stream
from monitor.loop_lag import LoopLag
from monitor.messages import Alert, Clip, Event, Preview, Status, Verdict
from monitor.metrics import sample_registry
from monitor.mqtt_config import MqttConfig
from monitor.notify import Notifier
from monitor.pipeline import Output, Pipeline
from monitor.previews import Previews
from monitor.publish import MqttPublisher, broker_of
from monitor.recent import RecentFaces
from monitor.recorder import Recorder
from monitor.reloading import ConfigSource, Reloader
from monitor.snoozes import Snoozes, marked
from monitor.steps import Parts
from monitor.store import EpisodeReader, Store
from monitor.taps import Tap
from monitor.uploads import taking_uploads
from monitor.view import View
from monitor.web import OpenedPages, WebServer, create_app, opened_gate

_log = logging.getLogger("monitor.service")

MQTT_SINK = "mqtt"
_STATUS_EVERY_S = 5.0
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
            running.live,
            running.previews,
            recent=running.recent,
            clock=running.clock,
            heed_snoozes=running.heed_snoozes,
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
        stack.callback(running.live.broadcast.close)
        stack.callback(running.previews.close)
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
        self.previews = Previews(self._pipeline.look)
        self.reloader = Reloader(config, parts, self._pipeline, self)
        self.calls = Calls(self._pipeline, self.reloader, self._call_changed)
        self.publishing = Publishing(
            self._pipeline.requests,
            self.reloader.stream,
            config.webrtc.ice_servers,
            calls=self.calls,
            configured=lambda: self.reloader.config.streams,
            keeps_evidence=config.evidence is not None,
            locked=config.web.auth is not None,
        )
        self._publisher = MqttPublisher(mqtt, store, sink=MQTT_SINK)
        self._notifier = Notifier(config.notify, store)
        self._recorder = Recorder(store, self._sinks, self._recorded)
        self._snoozes = Snoozes(store, self._snooze_changed)
        self._states: dict[str, Status] = {}
        self.clock = LiveClock()
        self.live = Live(self.clock, kin=self._pipeline.kin)
        self._loop_lag = LoopLag()
        self.view = View(
            pipeline=self._pipeline,
            store=store,
            recorder=self._recorder,
            publisher=self._publisher,
            notifier=self._notifier,
            snoozes=self._snoozes,
            live=self.live,
            calls=self.calls,
            evidence=self._evidence,
            learner=learner,
            previews=self.previews,
            loop_lag=self._loop_lag,
        )

    async def begin(self) -> None:
        """Closes what a former run left open, so that nothing stands that nobody holds."""
        self._notifier.warn_of_strangers(self._store.statistics().waiting)
        await self._snoozes.read()
        closed = await self._store.close_open_episodes(self._sinks)
        left_open = {alert.stream for alert in closed if alert.call_of is None}
        configured = [stream.name for stream in self.reloader.config.streams]
        await self.begin_streams(configured)
        self.end_streams(left_open - set(configured))
        for call in {alert.stream for alert in closed if alert.call_of is not None}:
            self._publisher.forget(call)

    async def prepare(self, config: MonitorConfig) -> None:
        """Another configuration is about to be taken over: see `StreamKeeper`."""
        if self._writer is not None:
            await asyncio.to_thread(self._provenances.read, config)

    async def begin_streams(self, streams: Iterable[str]) -> None:
        """They are watched in a moment; what a session has raised before counts, where alerts are counted."""
        self._provenances.take_over()
        most_alerts = self.reloader.config.decision.max_alerts_per_session
        for stream in streams:
            self._publisher.set_alert_state(stream, on=False)
            if self.reloader.parts.calibrations.of(stream) is not None:
                self._pipeline.recall(await self._store.last_raised(stream, most_alerts))

    async def end_calls(self, streams: Collection[str]) -> None:
        """They are watched no more in a moment, or anew, and with them end their calls."""
        await self.calls.end_of(streams, "configuration changed")

    def end_streams(self, streams: Iterable[str]) -> None:
        """They are not watched any more."""
        for stream in streams:
            self._states.pop(stream, None)
            self.previews.forget(stream)
            self.recent.forget(stream)
            self._publisher.set_alert_state(stream, on=False)
            gone = Status(stream, "stopped", since=datetime.now(UTC), reason="no longer configured")
            self._publisher.set_status(gone)

    async def run(
        self,
        stop: asyncio.Event,
        on_started: Callable[[], None],
        source: ConfigSource | None,
    ) -> None:
        for status in self.view.statuses():
            self._output(status)
        publishing = asyncio.create_task(self._publisher.run(), name="publish")
        notifying = asyncio.create_task(self._notifier.run(), name="notify")
        recording = asyncio.create_task(self._recorder.run(), name="record")
        deciding = asyncio.create_task(self._pipeline.run(self._output), name="pipeline")
        telling = asyncio.create_task(self._tell_status(), name="status")
        snoozing = asyncio.create_task(self._snoozes.run(), name="snoozes")
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
            await self._pipeline.stop(self._output, _STOP_THREADS_S)
            self._recorder.close()
            # Never cancelled while it works: an alert half recorded is neither lost nor kept.
            await asyncio.wait([recording], timeout=_RECORD_S)
            self.calls.forget_all()
            if waiting := self._recorder.statistics().waiting:
                failure = self._recorder.failure or "there was no time"
                alerts = "1 alert" if waiting == 1 else f"{waiting} alerts"
                errors.append(StoreError(f"{alerts} could not be recorded before the end: {failure}"))
                await self._finish_files(_DRAIN_S)
            else:  # a store that does not answer has nothing to deliver
                await asyncio.gather(
                    self._publisher.drain(_DRAIN_S), self._notifier.drain(_DRAIN_S), self._finish_files(_DRAIN_S)
                )
            errors += await cancelled(publishing, notifying, recording)
            await self._publisher.aclose()
        # None of the tasks ends by itself: if one did, its error is the service's.
        if errors:
            raise errors[0]

    async def heed_snoozes(self) -> None:
        """Looks at what was snoozed, instead of in a moment."""
        await self._snoozes.read()

    def snoozed(self, stream: str) -> datetime | None:
        """Until when alerts of the stream, or of whose call it is, call nobody; None where they do."""
        return self._snoozes.until(self._pipeline.kin.of(stream))

    def _output(self, output: Output) -> None:
        if isinstance(output, Alert):
            output = marked(output, self.snoozed(output.stream))
            of_stream(_log, output.stream).warning(
                "alert %s on %s: %s (evidence %.1f of %.1f)",
                output.type, output.track, output.reason, output.evidence, output.threshold,
            )  # fmt: skip
            self._recorder.put(output)
            if self._evidence is not None:
                self._evidence.decided(output)
        elif isinstance(output, Verdict):
            self._publisher.verdict(output)
            self.live.decided(output)
        elif isinstance(output, Event):
            of_stream(_log, output.stream).info("%s", output.text)
            self._publisher.event(output)
            self.live.happened(output)
        else:
            self._states[output.stream] = status = replace(output, snoozed_until=self.snoozed(output.stream))
            self._publisher.set_status(status, passing=self._pipeline.kin.passing(output.stream))
            self.live.changed(status)

    def _recorded(self, alert: Alert) -> None:
        self.live.recorded(alert)
        if alert.call_of is None:
            self._tell_alert_state(alert.stream)
        else:
            self._tell_call_alert(alert.stream, alert.call_of)
        self._publisher.wake()
        self._notifier.wake()
        if self._evidence is not None:
            self._evidence.recorded(alert, payloads.alert(alert))

    def _preview(self, preview: Preview) -> None:
        self.previews.put(preview)

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

    def _sinks(self, alert: Alert) -> list[str]:
        # Of a snoozed stream nobody is called; its alerts are there for whoever looks.
        called = [] if alert.snoozed_until is not None else self._notifier.sinks(alert)
        return [MQTT_SINK, *called]

    def _tell_alert_state(self, stream: str) -> None:
        """`ON` calls people, so a snoozed stream is `OFF`; what stands when the snooze ends is told then."""
        on = self._pipeline.alerting(stream) and self.snoozed(stream) is None
        self._publisher.set_alert_state(stream, on=on)

    def _tell_call_alert(self, call: str, call_of: str) -> None:
        """Of a call that is over nothing is retained; on what it is a call of, an alert stands while one does here."""
        kin = self._pipeline.kin
        if kin.passing(call):
            on = self._pipeline.alerting(call) and self.snoozed(call) is None
            self._publisher.set_alert_state(call, on=on, passing=True)
        if call_of in self._states:
            self._tell_alert_state(call_of)

    def _call_changed(self, call: str, call_of: str) -> None:
        """A call has begun, or nothing of it is to be left."""
        if self._pipeline.kin.passing(call):
            self._publisher.set_alert_state(call, on=False, passing=True)
        else:
            self._states.pop(call, None)
            self.previews.forget(call)
            self.recent.forget(call)
            self.live.forget(call)
            if self._evidence is not None:
                self._evidence.memory.forget(call)
            self._publisher.forget(call)
        for status in self.view.statuses():
            if status.stream == call_of:
                self._output(status)

    def _snooze_changed(self, stream: str) -> None:
        kin = self._pipeline.kin
        for call in kin.made_after(stream):
            status = self._states.get(call)
            if status is not None:
                self._output(status)
                self._tell_call_alert(call, stream)
        status = self._states.get(stream)
        if status is not None:  # it is watched, and has been told of
            self._output(status)
            self._tell_alert_state(stream)

    async def _tell_status(self) -> None:
        """Renews frame rates and face counts; changes of state are told when they happen. What is old is forgotten."""
        while True:
            await asyncio.sleep(_STATUS_EVERY_S)
            self.recent.expire(self.clock.now_s())
            for status in self.view.statuses():
                if status != self._states.get(status.stream):
                    self._output(status)
