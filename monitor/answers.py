"""Requests that go back to streams' workers, and their answers: whoever asks is answered, whatever happens there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

from monitor.messages import Clip, ClipRequest, Leave, Offer, Reply

Request = ClipRequest | Offer | Leave
Answer = Clip | Reply
T = TypeVar("T", Clip, Reply)


class Answers(Generic[T]):
    """Brings the answers of streams' workers to those who asked. Any thread may ask and answer.

    Args:
        numbers: tell requests of a worker apart, whatever they ask for.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._awaited: dict[int, Future[T]] = {}  # each step on it is one of the interpreter's, and needs no lock

    def __len__(self) -> int:
        """Requests that are not answered yet."""
        return len(self._awaited)

    def expect(self) -> tuple[int, Future[T]]:
        """The number of a request to be sent, and what its answer will be put into."""
        number = next(self._numbers)
        answer = self._awaited[number] = Future()
        return number, answer

    @property
    def waiting(self) -> int:
        """Requests that are not answered yet."""
        return len(self._awaited)

    def answer(self, answer: T) -> None:
        """Takes an answer."""
        awaited = self._awaited.pop(answer.number, None)
        # Nobody can cancel it under our hands once it runs; whoever has, no longer waits.
        if awaited is not None and awaited.set_running_or_notify_cancel():
            awaited.set_result(answer)


def unserved(request: Request, why: str) -> Answer:
    """The answer to a request that cannot be served now; `why` continues a sentence about the stream's process."""
    if isinstance(request, ClipRequest):
        return Clip(request.stream, request.number, None, why)
    return Reply(request.stream, request.number, refusal="unavailable", reason=f"{request.stream}: {why}; try again")
