"""The thread that keeps the encoder busy."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.errors import MonitorError
from monitor.messages import Crop, Logit
from monitor.redact import one_line, redact
from monitor.scoring.asking import ApartEncoder, BegunBatch, Encoder, score, told
from monitor.scoring.batcher import Batcher
from monitor.scoring.progress import Progress, WorkerStatistics

_log = logging.getLogger("monitor.scoring")

_POLL_S = 0.2
_BATCH_S = 1.5
"""A batch is kept small enough to be done within this: a stop waits for it, and its crops grow old in it."""
_SHORT_S = 0.1
"""While a batch that takes no longer is in progress, the next one is handed over: its crops grow no older than that."""
_WATCH_S = 0.5


def crops_at_once(crop_s: float) -> int:
    """How many crops are given to an encoder that takes so many seconds for each: as many as are done in 1.5 s."""
    return max(1, int(_BATCH_S / max(crop_s, 1e-6)))


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch that was handed over."""

    crops: list[Crop]
    begun_s: float
    batch: BegunBatch | None
    """None where the encoder gets it when it is waited for."""


class Worker:
    """Scores what waits in the batcher, in a thread named `score`.

    An encoder in a process of its own is handed the next batch while it works at a short one, where enough crops wait
    to fill it: so it need not wait for what is done before and after each.

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
        self._apart = encoder if isinstance(encoder, ApartEncoder) else None
        self._model = model
        self._on_logits = on_logits
        self._clock = clock
        self._on_spare = on_spare
        self._on_hang = on_hang
        self._stopping = threading.Event()
        # Not a daemon: one that is inside the encoder when the interpreter ends aborts the process.
        self._thread = threading.Thread(target=self._run, name="score")
        self._watcher = threading.Thread(target=self._watch, name="watch-score", daemon=True)
        self._progress = Progress(clock)
        # Used by the thread alone.
        self._crop_s: float | None = None  # how long the encoder takes for a crop, smoothed
        self._flights: deque[_Flight] = deque()

    def start(self) -> None:
        """Starts the thread."""
        self._progress.start()
        self._thread.start()
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Lets the thread end after what the encoder has; returns at once."""
        self._stopping.set()

    def stop(self, timeout_s: float) -> bool:
        """Lets what the encoder has finish and joins the thread; False if it is still busy after `timeout_s`."""
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
        return self._progress.failure

    def statistics(self) -> WorkerStatistics:
        """A snapshot."""
        return self._progress.statistics()

    # --- the thread that scores ---

    def _run(self) -> None:
        while self._flights or not self._stopping.is_set():
            crops = self._next()
            if crops:
                self._hand_over(crops)
            elif self._flights:
                self._land()
            elif (spare := self._batcher.take_spare()) is not None:
                self._score_spare(spare)

    def _next(self) -> list[Crop]:
        """What to hand over now; waits for it only where the encoder has nothing."""
        if self._stopping.is_set() or (self._flights and not self._goes_beside()):
            return []
        at_most = 1 if self._crop_s is None else crops_at_once(self._crop_s)
        beside = bool(self._flights)
        # Beside another, one that is not full had better wait: many crops at once take less time each.
        return self._batcher.take(self._clock.now_s(), 0.0 if beside else _POLL_S, at_most=at_most, full=beside)

    def _goes_beside(self) -> bool:
        """Whether another batch may be handed over beside what the encoder has."""
        if self._apart is None or self._crop_s is None or len(self._flights) > 1:
            return False
        return self._crop_s * len(self._flights[0].crops) <= _SHORT_S

    def _hand_over(self, crops: list[Crop]) -> None:
        begun_s, batch = self._clock.now_s(), None
        if not self._flights:
            self._begin(crops)
        if self._apart is not None:
            try:
                batch = self._apart.begin([crop.pixels for crop in crops], [crop.adapter for crop in crops])
            except Exception as error:  # noqa: BLE001 - as in `_land`
                self._note_failure(error, len(crops))
                if self._flights:  # that is lost as well, most likely: it is heard before more is
                    self._land()
                else:
                    self._progress.end()
                return
        self._flights.append(_Flight(crops, begun_s, batch))

    def _land(self) -> None:
        """Waits for the first batch that the encoder has, and passes its answers on."""
        flight = self._flights.popleft()
        logits: list[Logit] | None = None
        # Engines raise whatever their authors chose (RuntimeError, MemoryError, …), and none of it may end scoring.
        try:
            if flight.batch is None:
                logits = score(self._encoder, flight.crops, self._model)
            else:
                logits = told(flight.crops, flight.batch.logits(), self._model)
        except Exception as error:  # noqa: BLE001
            self._note_failure(error, len(flight.crops))
        begun_s, end_s = self._progress.end()
        if self._flights:
            self._begin(self._flights[0].crops)
        if logits is not None:
            self._pass_on(flight, logits, end_s - begun_s, end_s)

    def _pass_on(self, flight: _Flight, logits: list[Logit], took_s: float, end_s: float) -> None:
        try:
            self._on_logits(logits)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end scoring either
            self._note_failure(error, len(logits))
            return
        each_s = took_s / len(logits)
        self._crop_s = each_s if self._crop_s is None else (self._crop_s + each_s) / 2
        if self._progress.scored(flight.crops, flight.begun_s, end_s):
            _log.info("scoring works again")

    def _score_spare(self, crop: Crop) -> None:
        """Scores a crop that nobody waits for. It is in no figure but how busy the encoder is; a hang is told of."""
        self._begin([crop])
        try:
            (logit,) = score(self._encoder, [crop], self._model)
            if self._on_spare is not None:
                self._on_spare(logit)
        except Exception:  # noqa: BLE001 - the next real crop will tell of it
            _log.debug("a spare crop could not be scored", exc_info=True)
        self._progress.end()

    def _begin(self, crops: Sequence[Crop]) -> None:
        self._progress.begin(None if self._crop_s is None else self._crop_s * len(crops))

    def _note_failure(self, error: Exception, crops: int) -> None:
        # Ours say themselves what is at fault.
        reason = f"scoring fails: {redact(str(error)) if isinstance(error, MonitorError) else one_line(error)}"
        if self._progress.failed(reason, crops):
            _log.warning("%s", reason, exc_info=_log.isEnabledFor(logging.DEBUG))

    # --- the thread that watches ---

    def _watch(self) -> None:
        """Waits beside the thread that waits for the encoder, and says what that one cannot."""
        while not self._stopping.wait(_WATCH_S):
            overdue = self._progress.passed(_WATCH_S)
            if overdue is None:
                continue
            hang, to_log = overdue
            if to_log:
                _log.warning("%s", hang)
            if self._on_hang is not None:
                self._on_hang()
