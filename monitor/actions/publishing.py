"""Publishing a live stream to this service, over WebRTC: who may, and what comes of it.

Knows nothing of HTTP nor of WebRTC itself: session descriptions are text that the stream's worker understands.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from monitor.access import LOCAL, Principal
from monitor.config import PUBLISHED, StreamConfig
from monitor.errors import MonitorError
from monitor.messages import Refusal, Reply
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
    """What passes publishers on to the streams' workers; `pipeline.Pipeline` does."""

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


class Publishing:
    """Takes publishers of `whip:` streams, and lets them go.

    Args:
        publishers: passes them on.
        stream: looks a stream up by its name.
        ice_servers: that publishers are told of.
        keeps_evidence: whether anything is kept of alerts, which they are told as well.
        locked: whether the service has users, so that nobody publishes without one or the stream's token.
    """

    def __init__(
        self,
        publishers: Publishers,
        stream: Callable[[str], StreamConfig | None],
        ice_servers: Sequence[IceServer] = (),
        *,
        keeps_evidence: bool = False,
        locked: bool = False,
    ) -> None:
        self._publishers = publishers
        self._stream = stream
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
        stream = self._stream(name)
        if stream is None or stream.scheme != PUBLISHED:
            if self._locked and proof.principal is None:  # strangers do not learn what there is
                raise PublishingError("unproven", _UNPROVEN)
            raise PublishingError("unknown", _UNKNOWN)
        if stream.token is not None and proof.token is not None:
            token = stream.token.get_secret_value()
            if secrets.compare_digest(proof.token.encode(), token.encode()):
                return
        # Where the service has no users everybody is the local one: that proves nothing where a token is asked for.
        if proof.principal is not None and (stream.token is None or proof.principal != LOCAL):
            if not proof.principal.sees(name):
                raise PublishingError("unknown", _UNKNOWN)
            proof.principal.require("operator", name)
        elif self._locked or stream.token is not None:
            raise PublishingError("unproven", _UNPROVEN)

    async def publish(self, name: str, sdp: str, proof: Proof) -> Session:
        """Has a stream's worker answer an offer.

        Args:
            name: of the stream.
            sdp: the offer.
            proof: who asks.

        Raises:
            PublishingError: why it is not taken.
            ForbiddenError: they may not.
        """
        self.authorise(name, proof)
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
        return Session(session, reply.sdp)

    async def leave(self, name: str, session: str, proof: Proof) -> None:
        """Ends a session.

        Raises:
            PublishingError: there is none of that name, or it cannot be ended now.
            ForbiddenError: they may not.
        """
        self.authorise(name, proof)
        await self._answered(self._publishers.leave(name, session))

    async def _answered(self, asked: Future[Reply]) -> Reply:
        try:
            async with asyncio.timeout(_ANSWER_S):
                reply = await asyncio.wrap_future(asked)
        except TimeoutError:
            raise PublishingError("unavailable", "the stream's worker does not answer") from None
        if reply.refusal is not None:
            raise PublishingError(reply.refusal, reply.reason or reply.refusal)
        return reply
