"""Runs `dying_service.py`, kills what it forks, and remembers everything that was said."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_LIFE_S = 60.0


@dataclass(frozen=True)
class Life:
    """What one process said, and how it ended.

    Attributes:
        said: its lines, split into words.
        status: its exit code, or minus the number of the signal.
        first_s: from being forked to its first recorded alert, seconds; None where it recorded none.
    """

    said: list[list[str]]
    status: int
    first_s: float | None

    @property
    def reached(self) -> str:
        """The last thing it said."""
        return self.said[-1][0] if self.said else "nothing"

    def recorded(self) -> dict[str, tuple[str, int]]:
        """Stream and sequence of each alert that it said to be safe, by id."""
        return {words[1]: (words[2], int(words[3])) for words in self.said if words[0] == "recorded"}


class Dying:
    """The process that forks."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def live(
        self, store_url: str, mqtt_url: str, fate: str, *, kill_s: float | None = None, recorded: int = 0
    ) -> Life:
        """One life.

        Args:
            store_url: the database.
            mqtt_url: the broker.
            fate: see `dying_service.py`.
            kill_s: kill it so many seconds after...
            recorded: ...it has recorded so many alerts; 0: after it was forked.
        """
        out, into = self._process.stdout, self._process.stdin
        assert out is not None
        assert into is not None
        loop = asyncio.get_running_loop()
        into.write(f"{store_url} {mqtt_url} {fate}\n".encode())
        said: list[list[str]] = []
        pid, count, first_s, began_s = 0, 0, None, loop.time()
        killing: asyncio.TimerHandle | None = None
        async with asyncio.timeout(_LIFE_S):
            while True:
                words = (await out.readline()).decode().split()
                assert words, "the process that forks has ended"
                if words[0] == "ended":
                    break
                if words[0] == "pid":
                    pid = int(words[1])
                else:
                    said.append(words)
                if words[0] == "recorded":
                    count += 1
                    first_s = first_s or loop.time() - began_s
                if kill_s is not None and killing is None and pid and count >= recorded:
                    killing = loop.call_later(kill_s, os.kill, pid, signal.SIGKILL)
        if killing is not None:
            killing.cancel()
        return Life(said, int(words[1]), first_s)


@asynccontextmanager
async def dying() -> AsyncIterator[Dying]:
    """Starts the process that forks; ends it when nothing more is asked of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.dying_service", stdin=PIPE, stdout=PIPE
    )
    try:
        yield Dying(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
