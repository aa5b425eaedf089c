"""Delivers to one target what waits for it in the outbox, one notification at a time, until it is taken.

A failure is tried again with ever longer pauses, up to five minutes. What the target refuses is put aside, so that one
alert it cannot take does not hold up the others; it is tried again alone, in turn, and given up after `give_up_h`:
ticked off, logged as an error, counted. Nothing else ends without having been delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from monitor.backoff import Backoff
from monitor.clock import Clock
from monitor.delivery import Outbox, Persistent, RowT
from monitor.notify.errors import DeliveryError
from monitor.notify.notification import Notification
from monitor.notify.refusals import Refusals
from monitor.notify.senders import Sender
from monitor.notify.timing import Timing
from monitor.notify_config import TargetConfig

_log = logging.getLogger("monitor.notify")

_MOST = 500
"""Alerts of one digest."""
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 300.0
_BETWEEN_REFUSALS_S = 1.0
"""Before an alert is tried that the target has not seen yet. It may be wrongly configured, and refuse them all."""
_LOOK_S = 30.0
"""How soon it is noticed that quiet hours have ended, or a clock was set."""


@dataclass(frozen=True, slots=True)
class TargetStatistics:
    """A snapshot of one target."""

    name: str
    delivered: int
    """Alerts it has taken since the start."""
    notifications: int
    """Messages in which it took them; a digest is one."""
    failures: int
    """Attempts that failed."""
    gave_up: int
    """Alerts it kept refusing, and that were given up."""
    failing: str | None
    """Why the last attempt failed; None where it did not, or there was none."""


class Target(Generic[RowT]):
    """One target, at work.

    Args:
        config: whom to tell, and when.
        outbox: where its alerts wait.
        sender: the way to it.
        clock: for quiet hours, cool-down and digest.
    """

    def __init__(self, config: TargetConfig, outbox: Outbox[RowT], sender: Sender, clock: Clock) -> None:
        self._config = config
        self._outbox = outbox
        self._sender = sender
        self._clock = clock
        self._timing = Timing(config, clock)
        self._refusals = Refusals(config.give_up_h * 3600)
        self._kept = Persistent(_log, f"notify {config.name}")
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._recorded = asyncio.Event()  # perhaps something in the outbox
        self._idle = asyncio.Event()  # nothing that could be delivered now
        self._delivered = self._notifications = self._failures = self._gave_up = 0
        self._failing: str | None = None

    def wake(self) -> None:
        """There may be a new row in the outbox."""
        self._idle.clear()
        self._recorded.set()

    async def idle(self) -> None:
        """Waits until nothing is left that may be delivered now, or a delivery has failed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Delivers until cancelled."""
        try:
            since = self._timing.remembers_since
            if since is not None:
                self._timing.remember(await self._kept(self._outbox.last_delivered, self._config.sink, since))
            while True:
                self._recorded.clear()
                rows, wait_s = await self._due()
                if rows:
                    await self._deliver(rows)
                    continue
                if not self._recorded.is_set():
                    self._idle.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._recorded.wait(), wait_s)
        finally:
            await self._sender.aclose()

    def statistics(self) -> TargetStatistics:
        """A snapshot."""
        return TargetStatistics(
            self._config.name, self._delivered, self._notifications, self._failures, self._gave_up, self._failing
        )

    async def _due(self) -> tuple[Sequence[RowT], float | None]:
        """What may be sent now as one notification; or nothing, and how long to wait for more than a new row."""
        if self._timing.quiet():
            return (), _LOOK_S
        cooling = self._timing.cooling()
        most = _MOST if self._config.gathers else 1
        limit = most + len(self._refusals)  # so that refused ones never hide the others
        rows = await self._kept(self._outbox.pending, self._config.sink, limit, without=tuple(cooling))
        unseen = [row for row in rows if row.position not in self._refusals][:most]
        gathering_s = self._timing.gathering_s(unseen[0]) if unseen else None
        if gathering_s == 0:
            return unseen, None
        refused, again_s = self._refusals.next(rows, self._clock.now_s())
        if refused is not None:
            return (refused,), None
        waits = [left_s for left_s in (*cooling.values(), gathering_s, again_s) if left_s is not None]
        return (), min((*waits, _LOOK_S)) if waits else None

    async def _deliver(self, rows: Sequence[RowT]) -> None:
        try:
            await self._sender.send(Notification(tuple(row.alert for row in rows)))
        except DeliveryError as error:
            await self._failed(rows, error)
            return
        self._delivered += len(rows)
        self._notifications += 1
        self._backoff.reset()
        if self._failing is not None:
            self._failing = None
            _log.info("notify %s: delivers again", self._config.name)
        if len(rows) < _MOST:  # else there may be more that was due with these
            self._timing.told(row.alert.stream for row in rows)
        await self._done(rows)

    async def _failed(self, rows: Sequence[RowT], error: DeliveryError) -> None:
        self._failures += 1
        if str(error) != self._failing:
            self._failing = str(error)
            _log.warning("notify %s: %s; trying again", self._config.name, error)
        if not error.refused:
            self._idle.set()
            await asyncio.sleep(self._backoff.next_s())
            return
        if self._refusals.refused(rows, self._clock.now_s()):
            self._gave_up += len(rows)
            for row in rows:
                _log.error(
                    "notify %s: alert %s of %s (%s) is given up after %g h of refusals: %s",
                    self._config.name, row.alert.id, row.alert.stream, row.alert.type, self._config.give_up_h, error,
                )  # fmt: skip
            await self._done(rows)
        await asyncio.sleep(_BETWEEN_REFUSALS_S)

    async def _done(self, rows: Sequence[RowT]) -> None:
        self._refusals.forget(rows)
        await self._kept(self._outbox.delivered, *rows)
