"""Where all goes that there is to tell: MQTT, the alerts' store and who is called, evidence, and pages that look on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from monitor import payloads
from monitor.clock import Clock
from monitor.evidence import EvidenceKeeper
from monitor.live import Live
from monitor.logs import of_stream
from monitor.messages import Alert, Event, Status, Verdict
from monitor.mqtt_config import MqttConfig
from monitor.notify import Notifier
from monitor.notify_config import TargetConfig
from monitor.pipeline import Output, Pipeline
from monitor.previews import Previews
from monitor.publish import MqttPublisher
from monitor.recent import RecentFaces
from monitor.recorder import Recorder
from monitor.snoozes import Snoozes, marked
from monitor.store import Store

_log = logging.getLogger("monitor.service")

MQTT_SINK = "mqtt"
_STATUS_EVERY_S = 5.0


class Outlets:
    """Passes on what the pipeline has said, and what follows from it when an alert is safe or a snooze begins or ends.

    Belongs to the event loop.

    Args:
        pipeline: says it; knows which streams have alerts, and which are calls of which.
        store: keeps alerts, and snoozes.
        mqtt: the broker.
        notify: who is called.
        clock: of the pipeline.
        recent: the last faces of each stream; here only to be forgotten.
        evidence: keeps what alerts were raised for; None: nothing is kept.
        statuses: how all streams stand now.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        mqtt: MqttConfig,
        notify: Sequence[TargetConfig],
        *,
        clock: Clock,
        recent: RecentFaces,
        evidence: EvidenceKeeper | None,
        statuses: Callable[[], Iterable[Status]],
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._recent = recent
        self._evidence = evidence
        self._statuses = statuses
        self._states: dict[str, Status] = {}
        self.publisher = MqttPublisher(mqtt, store, sink=MQTT_SINK)
        self.notifier = Notifier(notify, store)
        self.recorder = Recorder(store, self.sinks, self._recorded)
        self.snoozes = Snoozes(store, self._snooze_changed)
        self.live = Live(clock, kin=pipeline.kin)
        self.previews = Previews(pipeline.look)

    def put(self, output: Output) -> None:
        """Passes on what the pipeline has said."""
        match output:
            case Alert():
                self._raise(marked(output, self.snoozed(output.stream)))
            case Verdict():
                self.publisher.verdict(output)
                self.live.decided(output)
            case Event():
                of_stream(_log, output.stream).info("%s", output.text)
                self.publisher.event(output)
                self.live.happened(output)
            case Status():
                self._states[output.stream] = status = replace(output, snoozed_until=self.snoozed(output.stream))
                self.publisher.set_status(status, passing=self._pipeline.kin.passing(output.stream))
                self.live.changed(status)

    def snoozed(self, stream: str) -> datetime | None:
        """Until when alerts of the stream, or of whose call it is, call nobody; None where they do."""
        return self.snoozes.until(self._pipeline.kin.of(stream))

    def sinks(self, alert: Alert) -> list[str]:
        """Who is to receive an alert. Of a snoozed stream nobody is called; its alerts are there for whoever looks."""
        called = [] if alert.snoozed_until is not None else self.notifier.sinks(alert)
        return [MQTT_SINK, *called]

    def begin_stream(self, stream: str) -> None:
        """It is watched in a moment, and no alert stands."""
        self.publisher.set_alert_state(stream, on=False)

    def end_streams(self, streams: Iterable[str]) -> None:
        """They are not watched any more."""
        for stream in streams:
            self._forget(stream)
            self.publisher.set_alert_state(stream, on=False)
            gone = Status(stream, "stopped", since=datetime.now(UTC), reason="no longer configured")
            self.publisher.set_status(gone)

    def call_changed(self, call: str, call_of: str) -> None:
        """A call has begun, or nothing of it is to be left."""
        if self._pipeline.kin.passing(call):
            self.publisher.set_alert_state(call, on=False, passing=True)
        else:
            self._forget(call)
            self.live.forget(call)
            if self._evidence is not None:
                self._evidence.memory.forget(call)
            self.publisher.forget(call)
        for status in self._statuses():
            if status.stream == call_of:
                self.put(status)

    async def tell_status(self) -> None:
        """Renews frame rates and face counts; changes of state are told when they happen. What is old is forgotten."""
        while True:
            await asyncio.sleep(_STATUS_EVERY_S)
            self._recent.expire(self._clock.now_s())
            for status in self._statuses():
                if status != self._states.get(status.stream):
                    self.put(status)

    async def drain(self, timeout_s: float) -> None:
        """Gives what waits for the broker, and for those who are called, a last chance."""
        await asyncio.gather(self.publisher.drain(timeout_s), self.notifier.drain(timeout_s))

    def _raise(self, alert: Alert) -> None:
        of_stream(_log, alert.stream).warning(
            "alert %s on %s: %s (evidence %.1f of %.1f)",
            alert.type, alert.track, alert.reason, alert.evidence, alert.threshold,
        )  # fmt: skip
        self.recorder.put(alert)
        if self._evidence is not None:
            self._evidence.decided(alert)

    def _recorded(self, alert: Alert) -> None:
        """The alert is safe."""
        self.live.recorded(alert)
        if alert.call_of is None:
            self._tell_alert_state(alert.stream)
        else:
            self._tell_call_alert(alert.stream, alert.call_of)
        self.publisher.wake()
        self.notifier.wake()
        if self._evidence is not None:
            self._evidence.recorded(alert, payloads.alert(alert))

    def _snooze_changed(self, stream: str) -> None:
        for call in self._pipeline.kin.made_after(stream):
            status = self._states.get(call)
            if status is not None:
                self.put(status)
                self._tell_call_alert(call, stream)
        status = self._states.get(stream)
        if status is not None:  # it is watched, and has been told of
            self.put(status)
            self._tell_alert_state(stream)

    def _tell_alert_state(self, stream: str) -> None:
        """`ON` calls people, so a snoozed stream is `OFF`; what stands when the snooze ends is told then."""
        on = self._pipeline.alerting(stream) and self.snoozed(stream) is None
        self.publisher.set_alert_state(stream, on=on)

    def _tell_call_alert(self, call: str, call_of: str) -> None:
        """Of a call that is over nothing is retained; on what it is a call of, an alert stands while one does here."""
        if self._pipeline.kin.passing(call):
            on = self._pipeline.alerting(call) and self.snoozed(call) is None
            self.publisher.set_alert_state(call, on=on, passing=True)
        if call_of in self._states:
            self._tell_alert_state(call_of)

    def _forget(self, stream: str) -> None:
        self._states.pop(stream, None)
        self.previews.forget(stream)
        self._recent.forget(stream)
