"""What is asked of streams' workers by name, and answered later: a clip, and a publisher's coming and going."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeVar

from monitor.answers import Answer, Answers, Request
from monitor.messages import Clip, ClipRequest, Leave, Offer, Reply

_UNWATCHED = "is not watched at this moment"
_A = TypeVar("_A", Clip, Reply)


class Asked(Protocol):
    """A stream's worker, as far as it is asked."""

    def ask(self, request: Request) -> None:
        """Takes a request, which will be answered. Never blocks."""


class Requests:
    """Asks the workers of streams, and brings their answers to whoever asked. A process that hangs may never answer.

    Args:
        workers: by stream, as they are at the moment.
    """

    def __init__(self, workers: Mapping[str, Asked]) -> None:
        self._workers = workers
        numbers = itertools.count(1)
        self._clips: Answers[Clip] = Answers(numbers)
        self._replies: Answers[Reply] = Answers(numbers)

    @property
    def awaited(self) -> int:
        """Requests that are not answered yet."""
        return len(self._clips) + len(self._replies)

    def answer(self, answer: Answer) -> None:
        """Takes an answer, from any thread."""
        if isinstance(answer, Clip):
            self._clips.answer(answer)
        else:
            self._replies.answer(answer)

    def clip(self, stream: str, stem: Path) -> Future[Clip]:
        """Has a stream's last seconds written; without a worker there is no clip."""
        if stream not in self._workers:
            return _answered(Clip(stream, 0, None, f"{stream} {_UNWATCHED}"))
        number, answer = self._clips.expect()
        self._workers[stream].ask(ClipRequest(stream, number, str(stem)))
        return answer

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        """Offers a publisher's connection; without a worker it is refused."""
        if stream not in self._workers:
            return _answered(Reply(stream, 0, refusal="unavailable", reason=f"{stream} {_UNWATCHED}; try again"))
        number, answer = self._replies.expect()
        self._workers[stream].ask(Offer(stream, number, session, sdp))
        return answer

    def leave(self, stream: str, session: str) -> Future[Reply]:
        """Ends a publisher's session; without a worker there is none."""
        if stream not in self._workers:
            return _answered(Reply(stream, 0, refusal="unknown", reason="there is no such session"))
        number, answer = self._replies.expect()
        self._workers[stream].ask(Leave(stream, number, session))
        return answer


def _answered(answer: _A) -> Future[_A]:
    """What nobody needs to be asked for."""
    future: Future[_A] = Future()
    future.set_result(answer)
    return future
