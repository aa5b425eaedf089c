"""A relay in front of PostgreSQL that can lose the one answer that matters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """Hands everything on, both ways.

    Attributes:
        lose_commit: whether the next COMMIT reaches the server, and the connection breaks instead of the answer.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.lose_commit = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self._server_port)
        back = asyncio.create_task(self._hand_on(answers, writer))
        try:
            while request := await reader.read(65536):
                if self.lose_commit and b"COMMIT" in request:
                    self.lose_commit = False
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    requests.write(request)
                    await answers.readuntil(b"COMMIT")
                    return
                requests.write(request)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            requests.close()
            writer.close()

    @staticmethod
    async def _hand_on(answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answer := await answers.read(65536):
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[str, Relay]]:
    """The database's URL by way of a relay."""
    at = re.search(r":(\d+)/", url)
    assert at is not None
    relay = Relay(int(at[1]))
    async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield url.replace(at[0], f":{port}/"), relay
