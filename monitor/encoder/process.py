"""The encoder in a process of its own: what runs there, and what passes between it and `isolated`.

OpenVINO, torch and drivers of GPUs are C++ that may crash or hang; what does so takes this process with it, and no
other. Batches go through a connection of their own, on which one side asks and the other answers in turn; all else
that the process has to tell goes the way of its log.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from gend import errors
from gend.errors import GendError
from gend.model import Detector
from monitor.encoder.plan import Description, EncoderPlan
from monitor.encoder.slab import Slab, take_slab
from monitor.processes.child import Wire, introduce, leave_signals_to_the_service, send_logs
from monitor.redact import one_line
from monitor.usage import Usage, own_usage

_log = logging.getLogger("monitor.scoring")

_ALIVE_EVERY_S = 1.0
_GOODBYE_S = 5.0
"""After a SIGTERM that no end of the service follows."""
_OOM_SCORE = 250
"""Where memory runs out, streams' workers go before it, and it before the service."""
_BUILTIN: tuple[type[Exception], ...] = (RuntimeError, MemoryError, ValueError, TypeError, OSError)


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign of life, sent every `_ALIVE_EVERY_S`, with what the process takes."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Loaded:
    """The encoder is ready."""

    description: Description
    adapters: Mapping[str, str]
    """SHA-256 of the file of each fine-tune by its name."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An exception, as far as it can pass: its class, where both sides know it, and its text."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: Exception) -> Self:
        """What passes of an exception."""
        return cls(type(error).__name__, str(error))

    def error(self) -> Exception:
        """The exception, of a class that stands for it where its own is unknown."""
        kind = getattr(errors, self.kind, None)
        if isinstance(kind, type) and issubclass(kind, GendError):
            return kind(self.text)
        for builtin in _BUILTIN:
            if builtin.__name__ == self.kind:
                return builtin(self.text)
        return RuntimeError(f"{self.kind}: {self.text}")


@dataclass(frozen=True, slots=True)
class Unable:
    """The encoder cannot be loaded, and its process ends."""

    why: Refused


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops are in the slab."""

    place: int
    count: int
    adapters: list[str | None]


@dataclass(frozen=True, slots=True)
class NewAdapters:
    """Other fine-tunes are to be read."""

    files: Mapping[str, str]


FromEncoder = Alive | Loaded | Unable
Wish = Batch | NewAdapters
Answer = NDArray[np.float32] | Mapping[str, str]
"""Logits of a batch; SHA-256 of the fine-tunes' files by name."""
Answered = Answer | Refused


def encode(connection: Connection, batches: Connection, plan: EncoderPlan, max_batch: int, log_level: int) -> NoReturn:
    """Loads an encoder and answers until the service hangs up.

    Args:
        connection: takes `FromEncoder` and log lines; its end is the end of this process.
        batches: gives `Wish`, takes `Answered`.
        plan: what the encoder is made of.
        max_batch: most crops in a batch.
        log_level: least level of the project's log lines that are wanted.
    """
    leave_signals_to_the_service(_GOODBYE_S)
    introduce("encoder", oom_score=_OOM_SCORE)
    # Torch's threads would else spin while they wait for each other, on cores that streams need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    wire = Wire[FromEncoder](connection)
    send_logs(wire, log_level)
    for work, name in ((lambda: _leave_with(connection), "leave"), (lambda: _live(wire), "alive")):
        threading.Thread(target=work, name=name, daemon=True).start()
    try:
        detector = plan.load()
        px = detector.input_px
        # What is compiled or laid out in the first batch is done before anybody waits for it.
        detector.logits(np.zeros((1, px, px, 3), np.uint8))
    except Exception as error:  # noqa: BLE001 - whatever it is, the service is told
        _log.debug("the encoder cannot be loaded", exc_info=True)
        wire.send(Unable(Refused.of(error)))
        os._exit(1)
    wire.send(Loaded(Description.of(detector), dict(detector.adapters)))
    try:
        slab = take_slab(batches, (max_batch, px, px, 3))
        while True:
            wish: Wish = batches.recv()
            batches.send(_answer(detector, slab, wish))
    except (EOFError, OSError):
        os._exit(0)


def _answer(detector: Detector, slab: Slab, wish: Wish) -> Answered:
    try:
        if isinstance(wish, Batch):
            return detector.logits(slab.get(wish.place, wish.count), wish.adapters)
        detector.set_adapters(wish.files)
        return dict(detector.adapters)
    except (EOFError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - engines raise whatever their authors chose
        _log.debug("the encoder refuses: %s", one_line(error), exc_info=True)
        return Refused.of(error)


def _leave_with(connection: Connection) -> None:
    """Leaves when the service has hung up or died, also in the middle of loading or of a batch: nobody waits for it."""
    try:
        connection.recv()
    finally:
        os._exit(0)


def _live(wire: Wire[FromEncoder]) -> None:
    while True:
        wire.send(Alive(own_usage()))
        time.sleep(_ALIVE_EVERY_S)
