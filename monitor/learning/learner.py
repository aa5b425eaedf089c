"""The tap that learns: keeps the encoder's answers of whole sessions, and of some crops made fake.

`run` does so where `decision.learning` names a file, and `calibrate --live` does nothing else. Crops are only looked
at: a few of them are blended with themselves and scored when the encoder has nothing else to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import queue
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from monitor.clock import Clock
from monitor.decision.measured_file import MeasuredFile
from monitor.learning.blend import manipulated
from monitor.learning.pieces import Backlog, Pieces, SessionTimes
from monitor.messages import Crop, Logit, Verdict
from monitor.redact import one_line

_log = logging.getLogger("monitor.learning")

_WRITE_EVERY_S = 60.0
_SHARE = 0.1
"""Of a session: it is written, and it is looked whether it is watched, no more seldom than that."""
_TICK_S = 1.0
_POLL_S = 0.2
_FAKE_EVERY_S = 10.0
"""Of a track no more than one crop in so many seconds is made fake."""
_FAKES = 1000
"""Nor more of one stream in a session: curves want some hundreds."""
_CANDIDATES = 8
_TRACKS = 4096


class Watched(Protocol):
    """What is needed of the pipeline."""

    epoch_s: float

    def watching(self) -> Collection[str]:
        """Streams that are live, analysed and scored now."""

    def offer_spare(self, crop: Crop) -> bool:
        """Leaves a crop to be scored when nothing else waits."""


@dataclass(frozen=True, slots=True)
class LearningStatistics:
    """A snapshot: counts since the start."""

    crops: int
    """Answers to real crops that were taken in."""
    fakes: int
    """Answers to crops made fake."""
    not_finite: int
    """Answers that were no numbers, and were left out."""
    lost: int
    """Crops that could not be kept, because the file took none for long."""
    bytes: int
    """Of the file."""
    failure: str | None
    """Why the file takes nothing; None while it does."""
    candidates: int = 0
    """Crops that wait to be made fake."""
    passed_over: int = 0
    """Those that were due to be and were not, because enough waited."""


class Learner:
    """Learns. Crops and logits may come from any thread, and none of them waits.

    Args:
        file: takes what is learnt; closed at the end.
        session_s: length of a session.
        clock: the pipeline's.
        streams: of which is learnt; of others, calls among them, nothing is.
    """

    def __init__(self, file: MeasuredFile, session_s: float, clock: Clock, streams: Collection[str]) -> None:
        self._file = file
        self._streams = frozenset(streams)
        self._session_s = session_s
        self._clock = clock
        self._live: frozenset[str] = frozenset()
        self._ticked_s = 0.0
        self._candidates: queue.Queue[Crop] = queue.Queue(_CANDIDATES)
        self._thread = threading.Thread(target=self._work, name="learn", daemon=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards all below; never held for long
        self._faked_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._faked: Counter[tuple[str, int]] = Counter()
        self._crops = self._fakes = self._not_finite = self._lost = self._passed_over = 0
        self._failure: str | None = None
        self._writing = threading.Lock()  # guards the file and what it has not taken
        self._backlog = Backlog()

    def begin(self, pipeline: Watched) -> None:
        """Starts the thread; no crop and no logit may come before."""
        self._pipeline = pipeline
        self._times = SessionTimes(self._session_s, pipeline.epoch_s)
        self._pieces = Pieces(self._times, uuid.uuid4().hex[:12])
        self._ticked_s = self._clock.now_s()
        self._thread.start()

    async def run(self) -> None:
        """Notes which streams are watched, until cancelled."""
        while True:
            await asyncio.sleep(min(_TICK_S, self._session_s * _SHARE))
            self.tick()

    def tick(self) -> None:
        """Counts the time since the last tick for every stream that was watched then and is now."""
        now_s, live = self._clock.now_s(), self._streams.intersection(self._pipeline.watching())
        with self._lock:
            for session, seconds in self._times.parts(self._ticked_s, now_s):
                for stream in live & self._live:
                    self._pieces.watched(stream, session, seconds)
        self._live, self._ticked_s = live, now_s

    def crop(self, crop: Crop) -> None:
        """Takes some of the crops to be made fake."""
        if crop.stream not in self._streams:
            return
        key, session = (crop.stream, crop.track), (crop.stream, self._times.number(crop.at_s))
        with self._lock:
            last_s = self._faked_s.get(key, -math.inf)
            if crop.at_s - last_s < _FAKE_EVERY_S or self._faked[session] >= _FAKES:
                return
            try:
                self._candidates.put_nowait(crop)
            except queue.Full:  # a later one then
                self._passed_over += 1
                return
            self._faked[session] += 1
            self._faked_s[key] = crop.at_s
            self._faked_s.move_to_end(key)
            while len(self._faked_s) > _TRACKS:
                self._faked_s.popitem(last=False)

    def logit(self, logit: Logit) -> None:
        """Keeps an answer."""
        if logit.stream not in self._streams:
            return
        with self._lock:
            if math.isfinite(logit.logit):
                self._pieces.real(logit)
                self._crops += 1
            else:
                self._pieces.not_finite(logit)
                self._not_finite += 1

    def spare(self, logit: Logit) -> None:
        """Keeps the answer to a crop that was made fake."""
        if math.isfinite(logit.logit):
            with self._lock:
                self._pieces.fake(logit)
                self._fakes += 1

    def verdict(self, verdict: Verdict) -> None:
        """Verdicts teach nothing."""

    def statistics(self) -> LearningStatistics:
        """A snapshot."""
        with self._lock:
            return LearningStatistics(
                self._crops,
                self._fakes,
                self._not_finite,
                self._lost,
                self._file.end,
                self._failure,
                self._candidates.qsize(),
                self._passed_over,
            )

    def flush(self) -> None:
        """Writes what has come. Blocks; what the disk does not take waits for the next time."""
        with self._writing:
            with self._lock:
                self._backlog.extend(self._pieces.take())
                over = self._times.number(self._clock.now_s()) - 1
                self._faked = Counter({key: count for key, count in self._faked.items() if key[1] >= over})
            if not self._backlog.pieces:
                return
            failure, lost = None, 0
            try:
                taken = self._file.append(self._backlog.pieces)
            except OSError as error:
                failure, lost = f"{self._file.path} cannot be written ({error.strerror})", self._backlog.shed()
            else:
                crops = self._backlog.clear()
                if not taken:
                    failure, lost = f"{self._file.path} is as large as decision.learning_max_mb allows", crops
            self._note(failure, lost)

    def stop(self, timeout_s: float) -> bool:
        """Ends the thread, which writes what is left; False where the disk does not answer in that time."""
        self._stopping.set()
        if self._thread.ident is None:  # it has never begun
            self._file.close()
            return True
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("%s is still written after %.1f s; what came last may be lost", self._file.path, timeout_s)
            return False
        return True

    def _work(self) -> None:
        rng = np.random.default_rng()
        every_s = min(_WRITE_EVERY_S, self._session_s * _SHARE)
        written_s = time.monotonic()
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self._fake(self._candidates.get(timeout=_POLL_S), rng)
            if time.monotonic() - written_s >= every_s:
                self.flush()
                written_s = time.monotonic()
        self.flush()
        self._file.close()

    def _fake(self, crop: Crop, rng: np.random.Generator) -> None:
        try:
            fake = manipulated(crop, rng)
        except Exception as error:  # noqa: BLE001 - no picture may end learning
            _log.debug("%s: a crop could not be blended: %s", crop.stream, one_line(error))
            return
        self._pipeline.offer_spare(fake)

    def _note(self, failure: str | None, lost: int) -> None:
        with self._lock:
            self._lost += lost
            before, self._failure = self._failure, failure
        if failure is not None and before is None:
            _log.error("nothing is learnt for now: %s", failure)
        elif failure is None and before is not None:
            _log.info("%s takes again what is learnt", self._file.path)
