"""What is asked of one process that has loaded the encoder, for as long as it lives."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import cast

import numpy as np
from numpy.typing import NDArray

from monitor.encoder.process import Answered, Batch, NewAdapters, Refused, Wish
from monitor.encoder.slab import Slab
from monitor.messages import Pixels

_LARGEST_ANSWER = 2**20
"""Bytes. A process whose memory is damaged may claim any length."""


class BrokenError(Exception):
    """The process does not answer, or with what is no answer."""


class Session:
    """Asks one process, one thing at a time.

    Args:
        batches: the connection to it.
        slab: where crops are put for it.
        max_batch: most crops that it takes at once.

    Attributes:
        asked: whether an answer is awaited.
    """

    def __init__(self, batches: Connection, slab: Slab, max_batch: int) -> None:
        self.asked = False
        self._batches = batches
        self._slab = slab
        self._max_batch = max_batch

    def logits(self, crops: Pixels, adapters: list[str | None]) -> NDArray[np.float32]:
        """As `Detector.logits`, of crops that were checked; raises `BrokenError` besides."""
        answers = []
        for at in range(0, len(crops), self._max_batch):
            part = slice(at, at + self._max_batch)
            answers.append(self._ask(Batch(len(crops[part]), adapters[part]), crops[part]))
        return np.concatenate(cast("list[NDArray[np.float32]]", answers))

    def set_adapters(self, files: Mapping[str, str]) -> Mapping[str, str]:
        """As `Detector.set_adapters`; returns their SHA-256 by name. Raises `BrokenError` besides."""
        return cast("Mapping[str, str]", self._ask(NewAdapters(dict(files))))

    def _ask(self, wish: Wish, crops: Pixels | None = None) -> Answered:
        self.asked = True
        try:
            if crops is None:
                self._batches.send(wish)
            else:
                self._slab.put(crops, wish)
            answer: Answered | Refused = pickle.loads(self._batches.recv_bytes(_LARGEST_ANSWER))  # noqa: S301 - as `Life`
        except Exception as error:
            raise BrokenError from error
        finally:
            self.asked = False
        if isinstance(answer, Refused):
            raise answer.error()
        return answer
