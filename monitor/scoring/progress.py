"""How scoring goes: what was scored and lost, how busy the encoder is, and whether the batch in progress is overdue."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.histogram import Distribution
from monitor.messages import Crop
from monitor.scoring.timing import Timing

_OVERDUE_S = 10.0
"""A batch is made to take 1.5 s. One that has taken so long hangs, unless its encoder is known to be that slow."""
_OVERDUE_TIMES = 5.0
"""How many times as long as batches take of late one may take, where that is more."""
_FIRST_OVERDUE_S = 60.0
"""For the first one, which nothing is known of: weights may have to come from a slow disk, and kernels be compiled."""


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
    """From a frame's arrival until its crop is handed to the encoder, seconds."""
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


class Progress:
    """Kept by the thread that scores, looked at by any.

    Args:
        clock: of the crops.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._timing = Timing()
        self._started_s = clock.now_s()
        self._crops = self._batches = self._errors = self._lost = self._hangs = 0
        self._failure: str | None = None
        self._begun_s: float | None = None  # the batch in progress
        self._awaited_s = 0.0
        self._patience_s = _FIRST_OVERDUE_S
        self._told: str | None = None  # the failure that the log ends with

    def start(self) -> None:
        """From now on the encoder could have been busy."""
        self._started_s = self._clock.now_s()

    def begin(self, usual_s: float | None) -> None:
        """The encoder begins with a batch, which takes so long; None: nobody knows.

        One that was handed over beside another begins when that one's answer is taken in, which is a little late.
        """
        with self._lock:
            self._begun_s, self._awaited_s = self._clock.now_s(), 0.0
            self._patience_s = _FIRST_OVERDUE_S if usual_s is None else max(_OVERDUE_S, _OVERDUE_TIMES * usual_s)

    def end(self) -> tuple[float, float]:
        """It is done with it, in one way or the other; returns from when to when it has worked."""
        with self._lock:
            end_s = self._clock.now_s()
            begun_s = end_s if self._begun_s is None else self._begun_s
            self._timing.spent(begun_s, end_s)
            self._begun_s, self._awaited_s = None, 0.0
            return begun_s, end_s

    def scored(self, crops: Sequence[Crop], begun_s: float, end_s: float) -> bool:
        """Crops that were handed over at `begun_s` were answered; returns whether the log ends with a failure."""
        with self._lock:
            self._failure = None
            recovered, self._told = self._told is not None, None
            self._crops += len(crops)
            self._batches += 1
            self._timing.scored(crops, begun_s, end_s)
            return recovered

    def failed(self, reason: str, crops: int) -> bool:
        """A batch of so many was lost; returns whether the one before was not."""
        with self._lock:
            first = self._failure is None
            self._failure, self._told = reason, reason
            self._errors += 1
            self._lost += crops
            return first

    def passed(self, seconds: float) -> tuple[str, bool] | None:
        """So much time has passed. Where it has made the batch in progress overdue: what to say, and whether to log it.

        It is counted, not read off a clock: a machine that slept must not take its own sleep for the encoder's.
        """
        with self._lock:
            if self._begun_s is None:
                return None
            before_s, self._awaited_s = self._awaited_s, self._awaited_s + seconds
            if not before_s < self._patience_s <= self._awaited_s:
                return None
            self._hangs += 1
            hang, told_before = self._hang(), self._told is not None
            self._told = self._told or hang
            return hang, not told_before

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

    def _current_failure(self) -> str | None:
        return self._hang() if self._awaited_s >= self._patience_s else self._failure

    def _hang(self) -> str:
        return f"scoring hangs: no answer within {self._patience_s:.0f} s"
