"""The thread that keeps the encoder busy, and the one function that asks it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Clock
from monitor.errors import MonitorError
from monitor.histogram import Distribution
from monitor.messages import Crop, Logit, Pixels
from monitor.redact import one_line, redact
from monitor.scoring.batcher import Batcher
from monitor.scoring.timing import Timing

_log = logging.getLogger("monitor.scoring")

_POLL_S = 0.2
_BATCH_S = 1.5
"""A batch is kept small enough to be done within this: a stop waits for it, and its crops grow old in it."""
_WATCH_S = 0.5
_OVERDUE_S = 10.0
"""A batch is made to take 1.5 s. One that has taken so long hangs, unless its encoder is known to be that slow."""
_OVERDUE_TIMES = 5.0
"""How many times as long as batches take of late one may take, where that is more."""
_FIRST_OVERDUE_S = 60.0
"""For the first one, which nothing is known of: weights may have to come from a slow disk, and kernels be compiled."""


class Encoder(Protocol):
    """What scoring needs of a detector; `gend.model.Detector` is one."""

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        """Log-odds of fake, float32 (B,), of crops uint8 (B, S, S, 3), each judged by the fine-tune of that name."""


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """A snapshot: counts since the start, and how it has gone of late."""

    crops: int
    """Crops scored."""
    batches: int
    mean_batch: float
    """Crops per batch; 0 before the first."""
    busy: float
    """Share of the last minute spent in the encoder, 0 to 1."""
    latency_p50_s: float | None
    """From a frame's arrival to the logits of its crop, over the last few hundred crops; None before the first."""
    latency_p95_s: float | None
    waits: Distribution
    """From a frame's arrival until its crop is taken by the encoder, seconds."""
    latencies: Distribution
    """From a frame's arrival to the logits of its crop, seconds."""
    busy_s: float
    """Seconds spent in the encoder, by batches that are over."""
    errors: int
    """Batches that failed."""
    lost: int
    """Crops that were in them."""
    hangs: int
    """Batches that were overdue."""
    awaited_s: float
    """How long the batch in progress has taken so far."""
    failure: str | None
    """Why no crop is scored: the last batch failed, or the one in progress is overdue. None while all is well."""


def score(encoder: Encoder, crops: Sequence[Crop], model: str) -> list[Logit]:
    """Scores one batch.

    Args:
        encoder: what looks at the pixels.
        crops: at least one, all of one size.
        model: name of the weights.

    Returns:
        One logit for each crop, in their order.

    Raises:
        MonitorError: the encoder did not answer with one number for each crop.
    """
    logits = encoder.logits(np.stack([crop.pixels for crop in crops]), [crop.adapter for crop in crops])
    if logits.shape != (len(crops),):
        raise MonitorError(f"{model}: expected {len(crops)} logits, got an array of shape {logits.shape}")
    return [
        Logit(
            crop.stream,
            crop.track,
            crop.at_s,
            float(logit),
            crop.quality,
            model if crop.adapter is None else f"{model}+{crop.adapter}",
        )
        for crop, logit in zip(crops, logits, strict=True)
    ]


def crops_at_once(crop_s: float) -> int:
    """How many crops are given to an encoder that takes so many seconds for each: as many as are done in 1.5 s."""
    return max(1, int(_BATCH_S / max(crop_s, 1e-6)))


class Worker:
    """Scores what waits in the batcher, in a thread named `score`.

    A batch that fails is lost and counted, the next one is tried as if nothing had happened. Of a batch that hangs a
    second thread, `watch-score`, says that it is overdue, and `on_hang` may make it fail. The log has one line when the
    one or the other begins and one when scoring works again.

    Args:
        batcher: where crops wait.
        encoder: used by the worker's thread alone.
        model: name of the weights, for the logits.
        on_logits: takes each batch's answers; called from the worker's thread.
        clock: the clock of the crops' `at_s`.
        on_spare: takes the answer to a spare crop; called from the worker's thread.
        on_hang: called once, from that second thread, for each batch that is overdue. None: it is waited for.
    """

    def __init__(
        self,
        batcher: Batcher,
        encoder: Encoder,
        model: str,
        on_logits: Callable[[list[Logit]], None],
        clock: Clock,
        *,
        on_spare: Callable[[Logit], None] | None = None,
        on_hang: Callable[[], None] | None = None,
    ) -> None:
        self._batcher = batcher
        self._encoder = encoder
        self._model = model
        self._on_logits = on_logits
        self._clock = clock
        self._on_spare = on_spare
        self._on_hang = on_hang
        self._stopping = threading.Event()
        # Not a daemon: one that is inside the encoder when the interpreter ends aborts the process.
        self._thread = threading.Thread(target=self._run, name="score")
        self._watcher = threading.Thread(target=self._watch, name="watch-score", daemon=True)
        self._crop_s: float | None = None  # how long the encoder takes for a crop, smoothed
        self._lock = threading.Lock()  # guards all below
        self._started_s = clock.now_s()
        self._timing = Timing()
        self._crops = self._batches = self._errors = self._lost = self._hangs = 0
        self._failure: str | None = None
        self._begun_s: float | None = None  # the batch in progress
        self._awaited_s = 0.0
        self._patience_s = _FIRST_OVERDUE_S
        self._told: str | None = None  # the failure that the log ends with

    def start(self) -> None:
        """Starts the thread."""
        self._started_s = self._clock.now_s()
        self._thread.start()
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Lets the thread end after the batch in progress; returns at once."""
        self._stopping.set()

    def stop(self, timeout_s: float) -> bool:
        """Lets the batch in progress finish and joins the thread; False if it is still busy after `timeout_s`."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("the encoder is still busy after %.1f s and is left behind", timeout_s)
            return False
        if self._watcher.is_alive():
            self._watcher.join()
        return True

    @property
    def failure(self) -> str | None:
        """Why no crop is scored; None while all is well. Cheap."""
        with self._lock:
            return self._current_failure()

    def statistics(self) -> WorkerStatistics:
        """A snapshot."""
        now_s = self._clock.now_s()
        with self._lock:
            timing = self._timing
            return WorkerStatistics(
                crops=self._crops,
                batches=self._batches,
                mean_batch=self._crops / self._batches if self._batches else 0.0,
                busy=timing.busy(self._started_s, self._begun_s, now_s),
                latency_p50_s=timing.latency_s(0.5),
                latency_p95_s=timing.latency_s(0.95),
                waits=timing.waits,
                latencies=timing.latencies,
                busy_s=timing.busy_s,
                errors=self._errors,
                lost=self._lost,
                hangs=self._hangs,
                awaited_s=self._awaited_s,
                failure=self._current_failure(),
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            crops = self._batcher.take(self._clock.now_s(), _POLL_S, at_most=self._batch_size())
            if crops:
                self._score(crops)
            elif (spare := self._batcher.take_spare()) is not None:
                self._score_spare(spare)

    def _batch_size(self) -> int:
        """As many as are done in time; one, as long as the encoder's speed is unknown."""
        return 1 if self._crop_s is None else crops_at_once(self._crop_s)

    def _score(self, crops: list[Crop]) -> None:
        begin_s = self._begin(len(crops))
        # Engines raise whatever their authors chose (RuntimeError, MemoryError, …), and none of it may end scoring.
        try:
            logits = score(self._encoder, crops, self._model)
            end_s = self._clock.now_s()
            self._on_logits(logits)
        except Exception as error:  # noqa: BLE001
            self._note_failure(error, len(crops))
            return
        each_s = (end_s - begin_s) / len(crops)
        self._crop_s = each_s if self._crop_s is None else (self._crop_s + each_s) / 2
        with self._lock:
            self._failure = self._begun_s = None
            self._awaited_s = 0.0
            recovered, self._told = self._told is not None, None
            self._crops += len(crops)
            self._batches += 1
            self._timing.scored(crops, begin_s, end_s)
        if recovered:
            _log.info("scoring works again")

    def _score_spare(self, crop: Crop) -> None:
        """Scores a crop that nobody waits for. It is in no figure but how busy the encoder is; a hang is told of."""
        begin_s = self._begin(1)
        try:
            (logit,) = score(self._encoder, [crop], self._model)
            if self._on_spare is not None:
                self._on_spare(logit)
        except Exception:  # noqa: BLE001 - the next real crop will tell of it
            _log.debug("a spare crop could not be scored", exc_info=True)
        with self._lock:
            self._begun_s, self._awaited_s = None, 0.0
            self._timing.spent(begin_s, self._clock.now_s())

    def _begin(self, crops: int) -> float:
        usual_s = None if self._crop_s is None else self._crop_s * crops
        with self._lock:
            self._begun_s = self._clock.now_s()
            self._patience_s = _FIRST_OVERDUE_S if usual_s is None else max(_OVERDUE_S, _OVERDUE_TIMES * usual_s)
            return self._begun_s

    def _note_failure(self, error: Exception, crops: int) -> None:
        # Ours say themselves what is at fault.
        reason = f"scoring fails: {redact(str(error)) if isinstance(error, MonitorError) else one_line(error)}"
        with self._lock:
            first = self._failure is None
            self._failure, self._told = reason, reason
            if self._begun_s is not None:
                self._timing.spent(self._begun_s, self._clock.now_s())
            self._begun_s, self._awaited_s = None, 0.0
            self._errors += 1
            self._lost += crops
        if first:
            _log.warning("%s", reason, exc_info=_log.isEnabledFor(logging.DEBUG))

    def _watch(self) -> None:
        """Waits beside the thread that waits for the encoder, and says what that one cannot."""
        while not self._stopping.wait(_WATCH_S):
            with self._lock:
                if self._begun_s is None:
                    continue
                # Counted, not read off a clock: a machine that slept must not take its own sleep for the encoder's.
                before_s, self._awaited_s = self._awaited_s, self._awaited_s + _WATCH_S
                if not before_s < self._patience_s <= self._awaited_s:
                    continue
                self._hangs += 1
                hang, told_before = self._current_failure(), self._told is not None
                self._told = self._told or hang
            if not told_before:
                _log.warning("%s", hang)
            if self._on_hang is not None:
                self._on_hang()

    def _current_failure(self) -> str | None:
        if self._awaited_s >= self._patience_s:
            return f"scoring hangs: no answer within {self._patience_s:.0f} s"
        return self._failure
