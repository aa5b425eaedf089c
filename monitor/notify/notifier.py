"""All targets of the configuration: which alert is for whom, and everyone who delivers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Generic

from monitor.clock import Clock, LiveClock
from monitor.delivery import Outbox, RowT
from monitor.messages import Alert
from monitor.notify.senders import sender_for
from monitor.notify.target import Target, TargetStatistics
from monitor.notify_config import TargetConfig

_log = logging.getLogger("monitor.notify")

_SINKS = "notify:"
_END_S = 0.3


class Notifier(Generic[RowT]):
    """Delivers to every target at once; none waits for another.

    Args:
        targets: whom to tell of what.
        outbox: where alerts wait.
        clock: for quiet hours, cool-down, digest and signatures.

    Raises:
        ConfigError: apprise does not understand a URL.
    """

    def __init__(self, targets: Sequence[TargetConfig], outbox: Outbox[RowT], *, clock: Clock | None = None) -> None:
        clock = clock or LiveClock()
        self._configs = tuple(targets)
        self._targets = [Target(config, outbox, sender_for(config, clock), clock) for config in targets]
        self._closing = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def sinks(self, alert: Alert) -> list[str]:
        """The outbox's names of the targets that are told of an alert."""
        return [config.sink for config in self._configs if config.wants(alert)]

    def warn_of_strangers(self, waiting: Iterable[str]) -> None:
        """Says for which targets something waits that are configured no more; it waits on, and is never dropped."""
        known = {config.sink for config in self._configs}
        for sink in waiting:
            if sink.startswith(_SINKS) and sink not in known:
                _log.warning("%s: alerts wait for this target, which is no longer configured", sink)

    def wake(self) -> None:
        """There is a new alert in the outbox."""
        for target in self._targets:
            target.wake()

    async def run(self) -> None:
        """Delivers until `aclose`."""
        self._running = asyncio.current_task()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(target.run(), name=config.sink)
                for config, target in zip(self._configs, self._targets, strict=True)
            ]
            await self._closing.wait()
            for task in tasks:
                task.cancel()

    async def drain(self, timeout_s: float) -> None:
        """Gives what may be delivered now a last chance, then ends; what is left is delivered by the next run."""
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s - _END_S):
                await asyncio.gather(*(target.idle() for target in self._targets))
        await self.aclose()

    async def aclose(self) -> None:
        """Lets `run` return; waits for it a moment."""
        self._closing.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=_END_S)

    def statistics(self) -> tuple[TargetStatistics, ...]:
        """A snapshot of each target."""
        return tuple(target.statistics() for target in self._targets)
