"""Streams that come and go, as calls do: each is made after a configured stream, whose settings are its own."""

from __future__ import annotations


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

    def add(self, stream: str, after: str) -> None:
        """A stream is watched that is made after another."""
        self._after[stream] = after

    def discard(self, stream: str) -> None:
        """It is watched no more."""
        self._after.pop(stream, None)
