"""A stream that is published to us: one publisher at a time, over WHIP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from monitor.ingest.webrtc.descriptions import OfferError, vetted
from monitor.ingest.webrtc.reader import PeerReader
from monitor.ingest.webrtc.session import Session
from monitor.messages import Leave, Offer, Refusal, Reply
from monitor.redact import one_line

_ANSWER_S = 8.0
"""For an answer to be found: a STUN server, where one is configured, may not be there."""


class PublishedReader(PeerReader):
    """Waits for publishers, and receives the one that there is.

    Args:
        *arguments: as `PeerReader`'s.
        on_reply: takes the answers to `publish`; called from its thread, or from that of the asker.
        **settings: as `PeerReader`'s.
    """

    def __init__(self, *arguments: Any, on_reply: Callable[[Reply], None], **settings: Any) -> None:
        super().__init__(*arguments, **settings, reason="no publisher yet")
        self._on_reply = on_reply
        self._one_at_a_time = asyncio.Lock()

    def publish(self, request: Offer | Leave) -> None:
        """Takes a publisher, or lets one go. Returns at once; the answer goes to `on_reply`. Any thread may ask."""
        if self._stopping.is_set() or not self._loop.call(lambda: self._loop.spawn(self._serve(request))):
            self._on_reply(_refused(request, "unavailable", "the stream is being stopped"))

    async def _work(self) -> None:
        await asyncio.Event().wait()

    def _lost(self, how: str) -> str:
        return f"no publisher: {how}"

    async def _serve(self, request: Offer | Leave) -> None:
        try:
            reply = self._let_go(request) if isinstance(request, Leave) else await self._admit(request)
        except OfferError as error:
            reply = _refused(request, error.refusal, str(error))
        except asyncio.CancelledError:
            self._on_reply(_refused(request, "unavailable", "the stream is being stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits must hear
            reply = _refused(request, "unavailable", f"internal error: {one_line(error)}")
        self._on_reply(reply)

    async def _admit(self, offer: Offer) -> Reply:
        async with self._one_at_a_time:
            if self._session is not None and self._session.turn.silent_s() <= self._config.stall_s:
                raise OfferError("busy", "somebody publishes to this stream")
            sdp = vetted(offer.sdp)
            session = Session(offer.session, self._receiver, self._end)
            try:
                async with asyncio.timeout(_ANSWER_S):
                    answer = await session.peer.answer(sdp)
            except BaseException as error:
                await session.close()
                if isinstance(error, TimeoutError):
                    raise OfferError("unavailable", f"no answer was found within {_ANSWER_S:g} s") from error
                raise
            self._take(session)
            self._become("connecting", "a publisher is connecting")
            return Reply(offer.stream, offer.number, sdp=answer)

    def _let_go(self, leave: Leave) -> Reply:
        if self._session is None or self._session.name != leave.session:
            return _refused(leave, "unknown", "no such session")
        self._end(self._session, "the last one has left")
        return Reply(leave.stream, leave.number)


def _refused(request: Offer | Leave, refusal: Refusal, reason: str) -> Reply:
    return Reply(request.stream, request.number, refusal=refusal, reason=reason)
