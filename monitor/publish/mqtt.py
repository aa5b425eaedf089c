"""The publisher: one connection to the broker, made again for ever, and what is said over it.

Alerts come from the outbox and go out with QoS 1, one at a time: the next follows when the broker has acknowledged the
last and the outbox has ticked it off. So they arrive in order, and at least once. Everything else is a latest value,
goes out with QoS 0, and may be lost only together with the connection; the next connection begins by telling all
retained topics anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Generic

import aiomqtt

from monitor import payloads
from monitor.clock import Clock, LiveClock
from monitor.delivery import Outbox, Persistent, RowT
from monitor.messages import Event, Status, Verdict
from monitor.mqtt_config import MqttConfig
from monitor.publish.client import Broker
from monitor.publish.homeassistant import discovery
from monitor.publish.latest import Latest
from monitor.publish.link import SETTLED_S, Link
from monitor.publish.topics import Topics

_log = logging.getLogger("monitor.publish")

_BATCH = 100
_GOODBYE_S = 0.5


@dataclass(frozen=True, slots=True)
class MqttStatistics:
    """A snapshot of the publisher."""

    connected: bool
    reason: str | None
    """What is wrong with the connection."""
    connections: int
    """Accepted since the start."""
    delivered: int
    """Alerts acknowledged by the broker since the start."""
    dropped: int
    """Verdicts and events that found no broker in time. Never alerts."""
    store_failure: str | None
    """Why the outbox cannot be read or ticked off at the moment; alerts then wait although the broker is there."""
    waiting: int = 0
    """Verdicts, events and states that are still to be published. Alerts wait in the outbox."""


class MqttPublisher(Generic[RowT]):
    """Publishes to one broker. All methods belong to the event loop's thread; those that set something never wait.

    Args:
        config: the broker; with the address of the running one where it was `embedded:`.
        outbox: where alerts wait.
        sink: the outbox's name for this publisher.
        clock: turns `at_s` of verdicts and events into the time of day.

    Raises:
        ConfigError: a certificate cannot be used.
    """

    def __init__(
        self, config: MqttConfig, outbox: Outbox[RowT], *, sink: str = "mqtt", clock: Clock | None = None
    ) -> None:
        self._broker = Broker(config)
        self._topics = Topics(config.prefix)
        self._discovery_prefix = config.homeassistant_prefix
        self._outbox = outbox
        self._sink = sink
        self._clock = clock or LiveClock()
        self._link = Link(self._broker.name, self._broker.client_id)
        self._latest = Latest()
        self._announced: set[str] = set()
        self._changed = asyncio.Event()  # something in _latest
        self._recorded = asyncio.Event()  # perhaps something in _outbox
        self._drained = asyncio.Event()  # nothing in _outbox
        self._closing = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._kept = Persistent(_log, "MQTT")
        self._connections = self._delivered = 0

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection has not failed since."""
        return self._link.connected

    def set_status(self, status: Status, *, passing: bool = False) -> None:
        """The state of a stream, retained; announces the stream to Home Assistant when first seen.

        Args:
            status: the state.
            passing: whether the stream is there for a time only, and nothing to announce.
        """
        if not passing:
            self._announce(status.stream)
        self._latest.retain(self._topics.stream_status(status.stream), payloads.status(status))
        self._changed.set()

    def set_alert_state(self, stream: str, *, on: bool, passing: bool = False) -> None:
        """Whether an alert episode of the stream is open, retained; `passing` as for `set_status`."""
        if not passing:
            self._announce(stream)
        self._latest.retain(self._topics.stream_alert(stream), payloads.alert_state(on=on))
        self._changed.set()

    def forget(self, stream: str) -> None:
        """A stream that was there for a time is gone: nothing of it is retained."""
        for topic in (self._topics.stream_status(stream), self._topics.stream_alert(stream)):
            self._latest.clear(topic)
        self._changed.set()

    def verdict(self, verdict: Verdict) -> None:
        """What is held of a track; published once a second at the most, the latest value."""
        payload = payloads.verdict(verdict, self._clock.wall(verdict.at_s))
        self._latest.verdict(self._topics.track(verdict.stream, verdict.track), payload)
        self._changed.set()

    def event(self, event: Event) -> None:
        """Something worth knowing that is no alert."""
        self._latest.event(self._topics.events(event.stream), payloads.event(event, self._clock.wall(event.at_s)))
        self._changed.set()

    def wake(self) -> None:
        """There is a new row in the outbox."""
        self._drained.clear()
        self._recorded.set()

    async def run(self) -> None:
        """Connects and publishes until `aclose`; connects again whenever the connection fails."""
        self._running = running = asyncio.current_task()
        assert running is not None
        try:
            while not self._closing.is_set():
                try:
                    await self._connect()
                except* aiomqtt.MqttError as errors:
                    self._link.failed(self._broker.explain(errors.exceptions[0]))
                # A connection that fails while we are cancelled tells of its failure alone.
                if running.cancelling():
                    raise asyncio.CancelledError
                if not self._link.connected:
                    await _wait(self._closing, self._link.pause_s())
        finally:
            self._link.closed()

    async def drain(self, timeout_s: float) -> bool:
        """Gives the outbox a last chance, then says goodbye as `aclose` does.

        Args:
            timeout_s: for both together.

        Returns:
            Whether everything recorded was delivered; what was not is delivered by the next run.
        """
        self.wake()
        drained = await _wait(self._drained, timeout_s - _GOODBYE_S)
        await self.aclose()
        return drained

    async def aclose(self) -> None:
        """Publishes what is left and `offline`, disconnects, and lets `run` return; waits about a second at most."""
        self._closing.set()
        if self._running is not None:
            _, unfinished = await asyncio.wait({self._running}, timeout=_GOODBYE_S)
            for task in unfinished:  # the broker does not answer
                task.cancel()
                await asyncio.wait({task}, timeout=_GOODBYE_S)

    def statistics(self) -> MqttStatistics:
        """A snapshot."""
        return MqttStatistics(
            self._link.connected,
            self._link.reason,
            self._connections,
            self._delivered,
            self._latest.dropped,
            self._kept.failure,
            self._latest.waiting,
        )

    def _announce(self, stream: str) -> None:
        if stream not in self._announced:
            self._announced.add(stream)
            for topic, payload in discovery(stream, self._topics, self._discovery_prefix).items():
                self._latest.retain(topic, payload)

    async def _connect(self) -> None:
        """One connection, from beginning to end. Raises `MqttError`, also in a group, if that was not our doing."""
        will = aiomqtt.Will(self._topics.service, "offline", qos=1, retain=True)
        async with self._broker.client(will) as client:
            self._connections += 1
            self._link.opened()
            try:
                await self._serve(client)
            finally:
                await self._say_goodbye(client)

    async def _serve(self, client: aiomqtt.Client) -> None:
        async with asyncio.TaskGroup() as group:
            jobs = (self._watch, self._settle, self._send_latest, self._send_alerts)
            tasks = [group.create_task(job(client), name=f"mqtt{job.__name__}") for job in jobs]
            await self._closing.wait()
            for task in tasks:
                task.cancel()

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Raises when the connection ends. Nothing is subscribed to, but a broker may send something all the same."""
        async for _ in client.messages:
            pass

    async def _settle(self, _: aiomqtt.Client) -> None:
        await asyncio.sleep(SETTLED_S)
        self._link.settled()

    async def _send_latest(self, client: aiomqtt.Client) -> None:
        self._latest.rewrite()
        await self._flush(client)
        # Only now: until here the broker may have told old states.
        await client.publish(self._topics.service, "online", qos=1, retain=True)
        while True:
            await _wait(self._changed, self._latest.due_in_s(_now_s()))
            self._changed.clear()
            await self._flush(client)

    async def _flush(self, client: aiomqtt.Client) -> None:
        for message in self._latest.take(_now_s()):
            await client.publish(message.topic, message.payload, qos=0, retain=message.retain)

    async def _send_alerts(self, client: aiomqtt.Client) -> None:
        while True:
            self._recorded.clear()
            rows = await self._kept(self._outbox.pending, self._sink, _BATCH)
            for row in rows:
                await client.publish(self._topics.alerts(row.alert.stream), payloads.alert(row.alert), qos=1)
                self._delivered += 1
                await self._kept(self._outbox.delivered, row)
            if not rows:
                if not self._recorded.is_set():
                    self._drained.set()
                await self._recorded.wait()

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        """An orderly end needs words of its own: the broker publishes the last will only where there were none."""
        # On a connection that has failed this fails at once, or is read when the broker wakes up: either is right.
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._flush(client)
                await client.publish(self._topics.service, "offline", qos=1, retain=True)


async def _wait(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Waits for the event, with a limit or without; returns whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
    return event.is_set()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
