"""Publishing a live stream to this service, over WebRTC: who may, and what comes of it.

Knows nothing of HTTP nor of WebRTC itself: session descriptions are text that the stream's worker understands.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from monitor.access import LOCAL, ForbiddenError, Principal
from monitor.calls import Call, FullError, NoCallsError
from monitor.errors import MonitorError
from monitor.messages import Refusal, Reply
from monitor.stream_config import PUBLISHED, StreamConfig
from monitor.webrtc_config import IceServer

_ANSWER_S = 10.0
"""For a worker to answer, seconds; it takes a tenth of one where no STUN server is asked."""
_UNKNOWN = "there is no stream of that name to publish to"
_UNPROVEN = "publishing to this stream takes its token"

Cause = Refusal | Literal["unproven"]


class PublishingError(MonitorError):
    """A publisher is not taken; the message is for them.

    Attributes:
        cause: what is wrong: as `Refusal`, or that they have not shown who they are.
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause


class Publishers(Protocol):
    """What passes publishers on to the streams' workers; `requests.Requests` does."""

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        """Offers a publisher's connection to the worker of a stream."""

    def leave(self, stream: str, session: str) -> Future[Reply]:
        """Ends a publisher's session."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows of who they are.

    Attributes:
        principal: who has logged in; None: nobody.
        token: the bearer token of the request, which may be the stream's own.
    """

    principal: Principal | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A connection that was taken."""

    name: str
    sdp: str
    """The answer, complete."""
    stream: str
    """What is published to: where each caller has a stream of their own, not the one that was asked for."""


class CallKeeper(Protocol):
    """What begins and ends calls; `calls.Calls` does."""

    @property
    def unused_s(self) -> float:
        """For how many seconds a call waits for its publisher."""

    def find(self, name: str) -> Call | None:
        """A call that is on."""

    async def begin(self, after: str, owner: Principal | None, token: str | None) -> Call:
        """Begins a call."""

    def published(self, name: str) -> None:
        """Somebody publishes to a call."""

    async def end(self, name: str, reason: str) -> None:
        """Ends a call."""


class Publishing:
    """Takes publishers of `whip:` streams, and lets them go.

    Args:
        publishers: passes them on.
        stream: looks a stream up by its name.
        ice_servers: that publishers are told of.
        calls: begins and ends calls, where streams take them.
        configured: every stream, for who has to choose.
        keeps_evidence: whether anything is kept of alerts, which they are told as well.
        locked: whether the service has users, so that nobody publishes without one or the stream's token.
    """

    def __init__(
        self,
        publishers: Publishers,
        stream: Callable[[str], StreamConfig | None],
        ice_servers: Sequence[IceServer] = (),
        *,
        calls: CallKeeper | None = None,
        configured: Callable[[], Iterable[StreamConfig]] = list,
        keeps_evidence: bool = False,
        locked: bool = False,
    ) -> None:
        self._publishers = publishers
        self._stream = stream
        self._calls = calls
        self._configured = configured
        self._locked = locked
        self._asking: set[str] = set()
        self.ice_servers = tuple(ice_servers)
        self.keeps_evidence = keeps_evidence

    def authorise(self, name: str, proof: Proof) -> None:
        """Lets somebody begin who may publish to a stream, before anything of what they send is read.

        Raises:
            PublishingError: there is no such stream (`unknown`), or they have not shown who they are (`unproven`).
            ForbiddenError: they may not.
        """
        call = None if self._calls is None else self._calls.find(name)
        if call is not None:
            self._authorise_caller(call, proof)
            return
        stream = self._stream(name)
        if stream is None or stream.scheme != PUBLISHED:
            if self._locked and proof.principal is None:  # strangers do not learn what there is
                raise PublishingError("unproven", _UNPROVEN)
            raise PublishingError("unknown", _UNKNOWN)
        if _shown(stream, proof):
            return
        # Where the service has no users everybody is the local one: that proves nothing where a token is asked for.
        if proof.principal is not None and (stream.token is None or proof.principal != LOCAL):
            if not proof.principal.sees(name):
                raise PublishingError("unknown", _UNKNOWN)
            proof.principal.require("operator", name)
        elif self._locked or stream.token is not None:
            raise PublishingError("unproven", _UNPROVEN)

    def _authorise_caller(self, call: Call, proof: Proof) -> None:
        """A call is for whoever has its token, or has begun it; to all others there is no such stream."""
        if call.proven(proof.token):
            return
        principal = proof.principal
        # Where the service has no users everybody is the local one, and a call that asks for nothing is anybody's.
        if principal is not None and principal == call.owner and (principal != LOCAL or call.proof is None):
            principal.require("operator", call.after)
            return
        if principal is not None and principal != LOCAL and not principal.sees(call.after):
            raise PublishingError("unknown", _UNKNOWN)
        if principal is not None and principal != LOCAL:
            raise ForbiddenError("this call is somebody else's")
        raise PublishingError("unproven", "publishing to this call takes its token")

    def choices(self, principal: Principal) -> list[str]:
        """The streams that somebody who has logged in, or sits at this machine, may publish to by a page."""
        found = []
        for stream in self._configured():
            try:
                self.authorise(stream.name, Proof(principal))
            except (PublishingError, ForbiddenError):
                continue
            found.append(stream.name)
        return found

    def takes_calls(self, name: str) -> bool:
        """Whether each who publishes to a stream gets one of their own."""
        stream = self._stream(name)
        return stream is not None and stream.many

    async def publish(self, name: str, sdp: str, proof: Proof) -> Session:
        """Has a stream's worker answer an offer; where the stream takes calls, that of a new one.

        Args:
            name: of the stream.
            sdp: the offer.
            proof: who asks.

        Raises:
            PublishingError: why it is not taken.
            ForbiddenError: they may not.
        """
        self.authorise(name, proof)
        if self._calls is None or not self.takes_calls(name):
            return await self._publish(name, sdp)
        call = await self._begun(self._calls, name, proof)
        try:
            return await self._publish(call.name, sdp)
        except BaseException:
            await self._calls.end(call.name, "its offer was not taken")
            raise

    async def _begun(self, calls: CallKeeper, name: str, proof: Proof) -> Call:
        """A call whose publisher proves themselves later by what they have shown now."""
        stream = self._stream(name)
        token = proof.token if stream is not None and _shown(stream, proof) else None
        try:
            return await calls.begin(name, None if token is not None else proof.principal, token)
        except (FullError, NoCallsError) as error:
            raise PublishingError("unavailable", str(error)) from error

    async def _publish(self, name: str, sdp: str) -> Session:
        if name in self._asking:  # whoever floods a stream with offers does not flood its worker
            raise PublishingError("busy", "another publisher is just connecting to this stream")
        session = secrets.token_urlsafe(16)
        self._asking.add(name)
        try:
            reply = await self._answered(self._publishers.publish(name, session, sdp))
        finally:
            self._asking.discard(name)
        if reply.sdp is None:
            raise PublishingError("unavailable", "the stream's worker gave no answer")
        if self._calls is not None:
            self._calls.published(name)
        return Session(session, reply.sdp, name)

    async def leave(self, name: str, session: str, proof: Proof) -> None:
        """Ends a session, and with it the call that it is of.

        Raises:
            PublishingError: there is none of that name, or it cannot be ended now.
            ForbiddenError: they may not.
        """
        self.authorise(name, proof)
        await self._answered(self._publishers.leave(name, session))
        if self._calls is not None:
            await self._calls.end(name, "the caller has left")

    async def _answered(self, asked: Future[Reply]) -> Reply:
        try:
            async with asyncio.timeout(_ANSWER_S):
                reply = await asyncio.wrap_future(asked)
        except TimeoutError:
            raise PublishingError("unavailable", "the stream's worker does not answer") from None
        if reply.refusal is not None:
            raise PublishingError(reply.refusal, reply.reason or reply.refusal)
        return reply


def _shown(stream: StreamConfig, proof: Proof) -> bool:
    """Whether somebody has shown the stream's own token."""
    if stream.token is None or proof.token is None:
        return False
    return secrets.compare_digest(proof.token.encode(), stream.token.get_secret_value().encode())
