"""Calls: of a stream of `sessions: many` each caller gets a stream of their own, which goes when the call ends."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from monitor.access import Principal
from monitor.access.fingerprints import fingerprint, same
from monitor.config import MonitorConfig
from monitor.errors import MonitorError
from monitor.logs import of_stream
from monitor.messages import Status, StreamState
from monitor.pipeline import Pipeline

_log = logging.getLogger("monitor.service")

_NAME_BYTES = 15
"""120 random bits: no name is ever given twice, nor guessed."""
_STOP_S = 5.0
_LISTENS_S = 15.0
"""For a worker's process to be there."""
_POLL_S = 0.02
_LOOK_EVERY_S = 0.5


class FullError(MonitorError):
    """As many calls are on as may."""


class NoCallsError(MonitorError):
    """There is no such stream, or it is not of `sessions: many`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is on.

    Attributes:
        name: of its stream.
        after: the configured stream by whose settings it is watched and judged.
        owner: who has begun it; None: whoever showed the token.
        proof: fingerprint of the token that publishers to it must show; None: none is asked for, where anybody may.
    """

    name: str
    after: str
    owner: Principal | None
    proof: str | None

    @property
    def counted_as(self) -> str | None:
        """Of whose share it takes; None: of nobody's."""
        return None if self.owner is None else self.owner.counted_as

    def proven(self, token: str | None) -> bool:
        """Whether a token is this call's."""
        return self.proof is not None and token is not None and same(fingerprint(token), self.proof)


@dataclass(slots=True)
class _Life:
    """When a call goes unless something happens: counted from its beginning, then from its last picture."""

    since_s: float
    published: bool = False


class Configured(Protocol):
    """What is in force now."""

    @property
    def config(self) -> MonitorConfig:
        """By which streams are watched."""

    @property
    def standing(self) -> asyncio.Lock:
        """Held, nothing else is taken over meanwhile."""


def new_call_token() -> str:
    """Random bits that let somebody publish to one call; recognisably none of a program's tokens."""
    return f"call_{secrets.token_urlsafe(24)}"


class Calls:
    """Begins calls and ends them. Belongs to the event loop.

    Args:
        pipeline: watches them.
        configured: knows after which stream they are made, and how many there may be.
        on_change: told of each call that has just begun or gone: its name, and that of its configured stream.

    Attributes:
        refused: calls that were wanted while too many were on.
    """

    def __init__(self, pipeline: Pipeline, configured: Configured, on_change: Callable[[str, str], None]) -> None:
        self._pipeline = pipeline
        self._configured = configured
        self._on_change = on_change
        self._calls: dict[str, Call] = {}
        self._lives: dict[str, _Life] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._told: dict[str, Status] = {}
        self.refused = 0

    @property
    def unused_s(self) -> float:
        """For how many seconds a call waits for its publisher."""
        return self._configured.config.webrtc.call_unused_s

    def find(self, name: str) -> Call | None:
        """A call that is on."""
        return self._calls.get(name)

    def of(self, after: str) -> list[Call]:
        """The calls of a configured stream that are on."""
        return [call for call in self._calls.values() if call.after == after]

    def counts(self) -> dict[str, int]:
        """How many calls are on of each configured stream that takes some."""
        streams = [stream.name for stream in self._configured.config.streams if stream.many]
        return {stream: len(self.of(stream)) for stream in streams}

    async def begin(self, after: str, owner: Principal | None, token: str | None) -> Call:
        """Begins a call; returns once somebody can publish to it.

        Args:
            after: the configured stream.
            owner: who begins it.
            token: what publishers must show; None: nothing.

        Raises:
            NoCallsError: there is no such stream of `sessions: many`.
            FullError: as many calls are on as may, all together or of this owner, who gets half of them.
            GendError: the face detector cannot be had; only where workers are threads.
        """
        async with self._configured.standing:
            config = self._configured.config
            stream = next((each for each in config.streams if each.name == after and each.many), None)
            if stream is None:
                raise NoCallsError(f"there is no stream {after} that takes calls")
            if len(self._calls) + len(self._ending) >= config.webrtc.max_calls:
                self.refused += 1
                raise FullError(f"{config.webrtc.max_calls} calls are on already; try again later")
            share = (config.webrtc.max_calls + 1) // 2
            who = None if owner is None else owner.counted_as
            if who is not None and sum(call.counted_as == who for call in self._calls.values()) >= share:
                self.refused += 1
                raise FullError(f"{who} has begun {share} calls that are on already; end one of them")
            proof = None if token is None else fingerprint(token)
            call = Call(_new_name(), after, owner, proof)
            self._calls[call.name], self._lives[call.name] = call, _Life(_now_s())
            try:
                own = stream.model_copy(update={"name": call.name, "sessions": "one", "token": None})
                await self._pipeline.watch(own, after=after)
            except BaseException:
                self._forget(call.name)
                raise
        self._on_change(call.name, after)
        await self._listening(call.name)
        if call.name not in self._calls:
            raise NoCallsError(f"calls of {after} have just ended; try again")
        self._lives[call.name] = _Life(_now_s())  # its time counts from when it can be published to
        return call

    def published(self, name: str) -> None:
        """Somebody publishes to a call: from now on it lasts as long as pictures come."""
        if name in self._lives:
            self._lives[name] = _Life(_now_s(), published=True)

    async def end(self, name: str, reason: str) -> None:
        """Ends a call, and returns when nothing of it is left; does nothing where it has ended.

        Args:
            name: of the call.
            reason: stands in what is cleared.
        """
        call = self._calls.get(name)
        if call is not None:
            # What began must come to its end, whoever asked for it and does not wait any more.
            await asyncio.shield(self._begin_end(call, reason))

    async def end_of(self, streams: Collection[str], reason: str) -> None:
        """Ends all calls of some configured streams, and waits for those that end anyway."""
        for call in [call for call in self._calls.values() if call.after in streams]:
            self._begin_end(call, reason)
        await asyncio.gather(*self._ending)

    async def run(self) -> None:
        """Ends calls that nobody has published to, or from which no pictures come any more, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._look(_now_s())

    def forget_all(self) -> None:
        """The pipeline has stopped: nothing of any call is to be left."""
        self._calls.clear()
        self._lives.clear()
        for name in self._pipeline.kin:  # also of those that are just ending
            after = self._pipeline.kin.of(name)
            self._pipeline.kin.discard(name)
            self._on_change(name, after)

    def statuses(self) -> list[Status]:
        """The state of the configured streams that take calls."""
        streams = [stream.name for stream in self._configured.config.streams if stream.many]
        self._told = {stream: self._status(stream) for stream in streams}
        return list(self._told.values())

    def _status(self, stream: str) -> Status:
        calls = self.of(stream)
        sources = [self._pipeline.source(call.name) for call in calls]
        live = any(source is not None and source.state == "live" for source in sources)
        state: StreamState = "live" if live else "connecting"
        before = self._told.get(stream)
        since = before.since if before is not None and before.state == state else datetime.now(UTC)
        reason = "waits for callers" if not calls else "1 call" if len(calls) == 1 else f"{len(calls)} calls"
        return Status(stream, state, since=since, reason=reason)

    def _look(self, now_s: float) -> None:
        webrtc = self._configured.config.webrtc
        for name, life in list(self._lives.items()):
            source = self._pipeline.source(name)
            if life.published and source is not None and source.state == "live":
                life.since_s = now_s
            most_s = webrtc.call_lost_s if life.published else webrtc.call_unused_s
            if now_s - life.since_s > most_s:
                why = "no picture came" if life.published else "nobody published"
                self._begin_end(self._calls[name], f"{why} for {most_s:g} s")

    def _begin_end(self, call: Call, reason: str) -> asyncio.Task[None]:
        self._forget(call.name)
        task = asyncio.create_task(self._end(call, reason), name=f"end {call.name}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def _end(self, call: Call, reason: str) -> None:
        of_stream(_log, call.name).info("the call ends: %s", reason)
        await self._pipeline.unwatch([call.name], reason, _STOP_S)
        self._on_change(call.name, call.after)

    def _forget(self, name: str) -> None:
        del self._calls[name], self._lives[name]

    async def _listening(self, name: str) -> None:
        """Waits for the worker's first word: offers that come before it are not answered."""
        until_s = _now_s() + _LISTENS_S
        while _now_s() < until_s:
            source = self._pipeline.source(name)
            if source is None or source.reason is not None:
                return
            await asyncio.sleep(_POLL_S)


def _new_name() -> str:
    return f"call-{base64.b32encode(secrets.token_bytes(_NAME_BYTES)).decode().lower()}"


def _now_s() -> float:
    return asyncio.get_running_loop().time()
