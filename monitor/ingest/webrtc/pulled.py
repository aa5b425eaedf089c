"""A stream that is fetched from a media server, over WHEP."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.added_stream import bound_of
from monitor.backoff import Backoff
from monitor.errors import SourceError
from monitor.ingest.address import RefusedError
from monitor.ingest.retry import Patience
from monitor.ingest.webrtc.descriptions import leading_within
from monitor.ingest.webrtc.reader import PeerReader
from monitor.ingest.webrtc.session import Session
from monitor.ingest.webrtc.whep import WhepClient
from monitor.reach import Resolve, addresses_of
from monitor.redact import one_line

DEFAULT_PATIENCE = Patience()


class PulledReader(PeerReader):
    """Fetches a stream, and fetches it again where it is lost.

    Args:
        *arguments: as `PeerReader`'s.
        patience: how long to wait between two tries.
        resolve: looks hosts up, where the stream may not lead everywhere.
        **settings: as `PeerReader`'s.
    """

    def __init__(
        self,
        *arguments: Any,
        patience: Patience = DEFAULT_PATIENCE,
        resolve: Resolve = addresses_of,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._patience = patience
        self._resolve = resolve
        self._within = bound_of(self._config)
        self._over = asyncio.Event()

    def _lost(self, how: str) -> str:
        self._over.set()
        return f"connection lost: {how}"

    async def _work(self) -> None:
        backoff = Backoff(self._patience.backoff_s, self._patience.longest_backoff_s)
        refused = Backoff(self._patience.refusal_backoff_s, self._patience.longest_refusal_s)
        while True:
            began_s, frames_before = self._clock.now_s(), self._tally.frames
            wait = backoff
            try:
                await self._receive()
            except SourceError as error:
                self._become("connecting", str(error))
                wait = refused if isinstance(error, RefusedError) else backoff
            except Exception as error:  # noqa: BLE001 - a fault of ours must not silence the stream
                self._become("connecting", f"internal error: {one_line(error)}")
            if self._tally.frames > frames_before and self._clock.now_s() - began_s >= self._patience.well_s:
                backoff.reset()
                refused.reset()
            await asyncio.sleep(wait.next_s())

    async def _receive(self) -> None:
        """One connection, from its offer to its end. Raises SourceError where none comes about."""
        token = None if self._config.token is None else self._config.token.get_secret_value()
        url = self._config.url.get_secret_value()
        async with WhepClient(url, token, self._within, self._resolve) as server:
            session, place = Session("", self._receiver, self._end), None
            try:
                answer, place = await server.ask(await session.peer.offer())
                if self._within is not None:
                    answer = leading_within(answer, self._within, server.addresses)
                await session.peer.accept(answer)
                self._over.clear()
                self._take(session)
                await self._over.wait()
            finally:
                # Also where we are asked to stop: the server shall not send into the void.
                if self._session is session:
                    self._session = None
                await self._close(session)
                if place is not None:
                    await server.leave(place)
