"""What is asked of streams' workers while they run, and what comes back: clips, and publishers that come and go."""

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
    """What is needed of a stream's worker."""

    def ask(self, request: Request) -> None:
        """Passes a request on; never blocks."""


class Requests:
    """Asks workers. A process that hangs may never answer; of a stream that is not watched the answer comes at once.

    Args:
        workers: of the streams that are watched now, by name.
    """

    def __init__(self, workers: Mapping[str, Asked]) -> None:
        self._workers = workers
        numbers = itertools.count(1)
        self._clips: Answers[Clip] = Answers(numbers)
        self._replies: Answers[Reply] = Answers(numbers)

    @property
    def waiting(self) -> int:
        """Requests that are not answered yet."""
        return self._clips.waiting + self._replies.waiting

    def write_clip(self, stream: str, stem: Path) -> Future[Clip]:
        """Has a stream's last seconds written to a file; returns at once.

        Args:
            stream: whose.
            stem: the file's path without its suffix, in a folder that exists.
        """
        if stream not in self._workers:
            return _answered(Clip(stream, 0, None, f"{stream} {_UNWATCHED}"))
        number, answer = self._clips.expect()
        self._workers[stream].ask(ClipRequest(stream, number, str(stem)))
        return answer

    def publish(self, stream: str, session: str, sdp: str) -> Future[Reply]:
        """Offers a publisher's connection to the worker of a stream.

        Of a stream that is not watched now, as while another configuration is taken over, it is refused.
        """
        if stream not in self._workers:
            return _answered(Reply(stream, 0, refusal="unavailable", reason=f"{stream} {_UNWATCHED}; try again"))
        number, answer = self._replies.expect()
        self._workers[stream].ask(Offer(stream, number, session, sdp))
        return answer

    def leave(self, stream: str, session: str) -> Future[Reply]:
        """Ends a publisher's session; a stream not watched now has none."""
        if stream not in self._workers:
            return _answered(Reply(stream, 0, refusal="unknown", reason="there is no such session"))
        number, answer = self._replies.expect()
        self._workers[stream].ask(Leave(stream, number, session))
        return answer

    def answer(self, answer: Answer) -> None:
        """Takes a worker's answer; any thread may."""
        if isinstance(answer, Clip):
            self._clips.answer(answer)
        else:
            self._replies.answer(answer)


def _answered(answer: _A) -> Future[_A]:
    """What nobody needs to be asked for."""
    future: Future[_A] = Future()
    future.set_result(answer)
    return future
