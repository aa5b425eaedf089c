"""What is asked of one process that has loaded the encoder, for as long as it lives."""

from __future__ import annotations

import contextlib
import pickle
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import cast

from monitor.encoder.process import Answer, Answered, Batch, NewAdapters, Refused
from monitor.encoder.slab import PLACES, Slab
from monitor.messages import Pixels

_LARGEST_ANSWER = 2**20
"""Bytes. A process whose memory is damaged may claim any length."""


class BrokenError(Exception):
    """The process does not answer, or with what is no answer."""


@dataclass(slots=True, eq=False)
class Asked:
    """Something that was asked, and its answer once that is there."""

    place: int | None = None
    """Where its crops are, if it has some."""
    answer: Answered | None = None


class Session:
    """Asks one process, which answers in the order in which it was asked. May be used from any thread.

    Args:
        batches: the connection to it.
        slab: where crops are put for it.

    Attributes:
        end: why its process ended, once that is known.
    """

    def __init__(self, batches: Connection, slab: Slab) -> None:
        self._batches = batches
        self._slab = slab
        self._sending, self._receiving = threading.Lock(), threading.Lock()
        self._free = deque(range(PLACES))
        self._awaited: deque[Asked] = deque()
        self._broken: Exception | None = None  # why no answer can be received any more
        self.end: str | None = None

    @property
    def asked(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._awaited)

    def begin(self, crops: Sequence[Pixels], adapters: list[str | None]) -> Asked:
        """Asks for the logits of crops, which were checked; waits while both places are taken.

        Raises:
            BrokenError: the process does not listen.
        """
        with self._sending:
            while not self._free:
                self._receive_next(lambda: bool(self._free))
            place = self._free.popleft()
            batch = Batch(place, len(crops), adapters)
            return self._send(Asked(place), lambda: self._slab.put(place, crops, batch))

    def set_adapters(self, files: Mapping[str, str]) -> Mapping[str, str]:
        """As `Detector.set_adapters`; returns their SHA-256 by name. Raises `BrokenError` besides."""
        with self._sending:
            asked = self._send(Asked(), lambda: self._batches.send(NewAdapters(dict(files))))
        return cast("Mapping[str, str]", self.answer_to(asked))

    def answer_to(self, asked: Asked) -> Answer:
        """Waits for the answer, from any thread; raises what the encoder raised, and `BrokenError`."""
        while asked.answer is None:
            self._receive_next(lambda: asked.answer is not None)
        if isinstance(asked.answer, Refused):
            raise asked.answer.error()
        return asked.answer

    def _send(self, asked: Asked, say: Callable[[], None]) -> Asked:
        self._awaited.append(asked)
        try:
            say()
        except Exception as error:
            with contextlib.suppress(ValueError):  # all are forgotten where another thread has found it broken
                self._awaited.remove(asked)  # what was asked before it may have been answered
            raise BrokenError from error
        return asked

    def _receive_next(self, enough: Callable[[], bool]) -> None:
        """Receives the answer to what was asked first; not where another thread has received enough meanwhile."""
        with self._receiving:
            if enough():
                return
            if self._broken is not None:
                raise BrokenError from self._broken
            try:
                answer: Answered = pickle.loads(self._batches.recv_bytes(_LARGEST_ANSWER))  # noqa: S301 - as `Life`
            except Exception as error:
                self._broken = error.with_traceback(None)  # which holds this object, and so would keep the slab
                self._awaited.clear()
                raise BrokenError from error
            first = self._awaited.popleft()
            first.answer = answer
            if first.place is not None:
                self._free.append(first.place)
