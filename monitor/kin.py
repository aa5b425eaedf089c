"""Streams that come and go, as calls do: each is made after a configured stream, whose settings are its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

CALL_NAME = re.compile("call-[a-z2-7]{24}")
"""What calls are called. It tells nothing for certain: somebody may configure a stream of such a name."""


class Kin:
    """Which configured stream a stream is made after. Any thread may ask; the event loop alone changes it."""

    def __init__(self) -> None:
        self._after: dict[str, str] = {}

    def of(self, stream: str) -> str:
        """The configured stream by whose settings it is watched and judged: itself, where it is one."""
        return self._after.get(stream, stream)

    def passing(self, stream: str) -> bool:
        """Whether it is one that comes and goes."""
        return stream in self._after

    def made_after(self, stream: str) -> list[str]:
        """Those that are made after a stream now, in the order in which they came; for the event loop."""
        return [name for name, after in self._after.items() if after == stream]

    def __iter__(self) -> Iterator[str]:
        """All that come and go and are watched now; for the event loop."""
        return iter(tuple(self._after))

    def add(self, stream: str, after: str) -> None:
        """A stream is watched that is made after another."""
        self._after[stream] = after

    def discard(self, stream: str) -> None:
        """It is watched no more."""
        self._after.pop(stream, None)
