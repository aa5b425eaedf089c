from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.model import Detector
from monitor.clock import LiveClock, RecordingClock
from monitor.errors import MonitorError
from monitor.messages import Crop, Logit, Pixels
from monitor.scoring import Batcher, Worker, score
from tests.logs import told
from tests.waiting import wait_until


def _crop(track: str, value: int = 0, at_s: float = 0.0, adapter: str | None = None) -> Crop:
    return Crop("lobby", track, at_s, np.full((4, 4, 3), value, np.uint8), 0.5, 100, adapter)


class _MeanEncoder:
    """Answers each crop with its mean grey level; may be told to fail or to wait."""

    def __init__(self) -> None:
        self.fails = False
        self.batches: list[int] = []
        self.adapters: list[str | None] = []
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        self.inside.set()
        self.gate.wait(30)
        if self.fails:
            raise RuntimeError("out of memory\n  at somewhere deep")
        self.batches.append(len(crops))
        self.adapters += adapters or []
        return np.asarray(crops.mean(axis=(1, 2, 3)), dtype=np.float32)


class _Apart(_MeanEncoder):
    """Is handed batches, and answers each in its turn when it may; takes time by its own clock alone."""

    def __init__(self, crop_s: float = 0.01) -> None:
        super().__init__()
        self.clock = RecordingClock(datetime(2025, 1, 1, tzinfo=UTC))
        self.handed: list[list[int]] = []
        self.refused: list[int] = []
        self.refuses_from = 99
        """Number of the batch from which on none is taken."""
        self._crop_s, self._now_s = crop_s, 0.0
        self._may = threading.Semaphore(0)

    def answer(self, batches: int) -> None:
        self._may.release(batches)

    def begin(self, crops: Sequence[Pixels], adapters: Sequence[str | None]) -> _Begun:
        if len(self.handed) >= self.refuses_from:
            self.refused.append(len(crops))
            raise MonitorError("nobody is there")
        self.handed.append([int(crop[0, 0, 0]) for crop in crops])
        return _Begun(lambda: self._answer(np.stack(crops), adapters))

    def _answer(self, crops: Pixels, adapters: Sequence[str | None]) -> NDArray[np.float32]:
        assert self._may.acquire(timeout=30)
        self._now_s += self._crop_s * len(crops)
        self.clock.advance(self._now_s)
        return self.logits(crops, adapters)


@dataclass(frozen=True)
class _Begun:
    logits: Callable[[], NDArray[np.float32]]


class _Answers:
    """Collects logits from the worker's thread."""

    def __init__(self) -> None:
        self.logits: list[Logit] = []
        self.threads: set[str] = set()
        self._arrived = threading.Condition()

    def __call__(self, logits: list[Logit]) -> None:
        with self._arrived:
            self.logits += logits
            self.threads.add(threading.current_thread().name)
            self._arrived.notify_all()

    def wait_for(self, count: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.logits) >= count, timeout=30)


@pytest.fixture
def batcher() -> Batcher:
    return Batcher(max_batch=4, max_age_s=1e9)


@pytest.fixture
def encoder() -> _MeanEncoder:
    return _MeanEncoder()


@pytest.fixture
def answers() -> _Answers:
    return _Answers()


@pytest.fixture
def worker(batcher: Batcher, encoder: _MeanEncoder, answers: _Answers) -> Iterator[Worker]:
    worker = Worker(batcher, encoder, "demo", answers, LiveClock())
    worker.start()
    yield worker
    encoder.gate.set()
    assert worker.stop(timeout_s=30)
    assert not any(thread.name.endswith("score") for thread in threading.enumerate())


def test_score_answers_in_order_with_the_models_name() -> None:
    crops = [_crop("1", 10, 3.5), _crop("2", 20, 4.5, adapter="hall")]
    encoder = _MeanEncoder()
    assert score(encoder, crops, "demo") == [
        Logit("lobby", "1", 3.5, 10.0, 0.5, "demo"),
        Logit("lobby", "2", 4.5, 20.0, 0.5, "demo+hall"),
    ]
    assert encoder.adapters == [None, "hall"]


def test_score_an_encoder_of_another_shape_is_refused() -> None:
    class Pairs:
        def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
            return np.zeros((len(crops), 2), np.float32)

    with pytest.raises(MonitorError, match=r"expected 1 logits, got an array of shape \(1, 2\)"):
        score(Pairs(), [_crop("1")], "demo")


def test_run_scores_what_is_offered_in_its_own_thread(batcher: Batcher, worker: Worker, answers: _Answers) -> None:
    for index in range(10):
        batcher.offer(_crop(str(index), value=index))
    answers.wait_for(10)
    assert {logit.track: logit.logit for logit in answers.logits} == {str(index): index for index in range(10)}
    assert answers.threads == {"score"}
    statistics = wait_until(lambda: said if (said := worker.statistics()).crops == 10 else None)
    assert statistics.mean_batch == 10 / statistics.batches
    assert (statistics.errors, statistics.lost, statistics.failure) == (0, 0, None)


def test_spare_crops_are_scored_last_and_answered_apart(
    batcher: Batcher, encoder: _MeanEncoder, answers: _Answers
) -> None:
    spare = _Answers()
    worker = Worker(batcher, encoder, "demo", answers, LiveClock(), on_spare=lambda logit: spare([logit]))
    encoder.gate.clear()
    batcher.offer_spare(_crop("s1", 200))
    worker.start()
    assert encoder.inside.wait(30)
    batcher.offer_spare(_crop("s2", 201))
    for index in range(3):
        batcher.offer(_crop(str(index), value=index))
    encoder.gate.set()
    answers.wait_for(3)
    spare.wait_for(2)
    assert encoder.batches[0] == encoder.batches[-1] == 1  # the first, which had begun, and the last
    assert [logit.logit for logit in spare.logits] == [200, 201]
    assert [logit.logit for logit in answers.logits] == [0, 1, 2]
    assert worker.statistics().crops == 3
    encoder.fails = True
    batcher.offer_spare(_crop("s3"))
    wait_until(lambda: batcher.take_spare() is None and not worker.statistics().awaited_s)
    encoder.fails = False
    batcher.offer(_crop("9", 9))
    answers.wait_for(4)
    assert worker.statistics().errors == 0
    assert worker.stop(timeout_s=30)


def test_run_begins_with_one_crop_until_the_encoders_speed_is_known(
    batcher: Batcher, worker: Worker, encoder: _MeanEncoder, answers: _Answers
) -> None:
    encoder.gate.clear()
    batcher.offer(_crop("0"))
    assert encoder.inside.wait(30)
    for index in range(1, 8):
        batcher.offer(_crop(str(index)))
    encoder.gate.set()
    answers.wait_for(8)
    assert encoder.batches[0] == 1
    assert max(encoder.batches) <= 4


def test_run_a_slow_encoder_gets_batches_that_are_soon_done(
    batcher: Batcher, encoder: _MeanEncoder, answers: _Answers
) -> None:
    clock = RecordingClock(datetime(2025, 1, 1, tzinfo=UTC))
    now_s = 0.0

    class OneSecondEach(_MeanEncoder):
        def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
            nonlocal now_s
            now_s += len(crops)
            clock.advance(now_s)
            return super().logits(crops)

    slow = OneSecondEach()
    for index in range(4):
        batcher.offer(_crop(str(index)))
    worker = Worker(batcher, slow, "demo", answers, clock)
    worker.start()
    answers.wait_for(4)
    assert worker.stop(timeout_s=30)
    assert slow.batches == [1, 1, 1, 1]
    statistics = worker.statistics()
    assert statistics.busy == 1.0
    assert statistics.latency_p50_s == pytest.approx(2.5)
    assert statistics.latency_p95_s == pytest.approx(3.85)
    assert statistics.busy_s == pytest.approx(4)
    assert statistics.latencies.total == pytest.approx(1 + 2 + 3 + 4)
    assert statistics.waits.total == pytest.approx(0 + 1 + 2 + 3)
    assert sum(statistics.waits.counts) == sum(statistics.latencies.counts) == 4


def test_run_survives_whatever_is_no_crop(
    batcher: Batcher, answers: _Answers, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Detector.load("demo", device="cpu", threads=1)
    worker = Worker(batcher, detector, "demo", answers, LiveClock())
    worker.start()
    whole = np.zeros((112, 112, 3), np.uint8)
    failures = []
    for number, (pixels, adapter) in enumerate(
        [
            (whole[:, :, :2], None),
            (whole.astype(np.float32), None),
            (whole[:0], None),
            (whole[:64, :64], None),
            (whole, "nobody"),
        ]
    ):
        batcher.offer(Crop("lobby", str(number), 0.0, pixels, 0.5, 100, adapter))  # type: ignore[arg-type]
        wait_until(lambda number=number: worker.statistics().errors == number + 1)  # type: ignore[misc]
        failures.append(worker.failure or "")
        batcher.offer(Crop("lobby", "good", 0.0, whole, 0.5, 100))
        answers.wait_for(number + 1)
        wait_until(lambda: worker.failure is None)
    assert worker.stop(timeout_s=30)
    assert all(
        failure.startswith(("scoring fails: PictureError", "scoring fails: WeightsError")) for failure in failures
    )
    assert "Traceback" not in caplog.text


def test_run_an_encoder_that_fails_is_told_once_and_recovers(
    batcher: Batcher, worker: Worker, encoder: _MeanEncoder, answers: _Answers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.scoring")
    encoder.fails = True
    for index in range(3):
        batcher.offer(_crop(str(index)))
        wait_until(lambda count=index + 1: worker.statistics().lost == count)  # type: ignore[misc]
    assert worker.statistics().failure == "scoring fails: RuntimeError: out of memory"
    assert worker.statistics().errors == 3
    encoder.fails = False
    batcher.offer(_crop("again", value=7))
    answers.wait_for(1)
    assert [logit.track for logit in answers.logits] == ["again"]
    wait_until(lambda: worker.statistics().failure is None)
    wait_until(lambda: len(told(caplog)) == 2)
    assert told(caplog) == [
        "scoring fails: RuntimeError: out of memory",
        "scoring works again",
    ]


def test_run_an_encoder_that_hangs_is_told_while_it_does_and_recovers(
    batcher: Batcher,
    encoder: _MeanEncoder,
    answers: _Answers,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO, "monitor.scoring")
    monkeypatch.setattr("monitor.scoring.worker._WATCH_S", 0.01)
    monkeypatch.setattr("monitor.scoring.progress._FIRST_OVERDUE_S", 0.2)
    worker = Worker(batcher, encoder, "demo", answers, LiveClock())
    worker.start()
    encoder.gate.clear()
    batcher.offer(_crop("1"))
    wait_until(lambda: worker.failure is not None)
    statistics = worker.statistics()
    assert statistics.failure == "scoring hangs: no answer within 0 s"
    assert statistics.awaited_s >= 0.2
    assert (statistics.hangs, statistics.errors) == (1, 0)
    wait_until(lambda: len(told(caplog)) == 1)
    encoder.gate.set()
    answers.wait_for(1)
    wait_until(lambda: worker.failure is None)
    assert worker.stop(timeout_s=30)
    assert told(caplog) == [
        "scoring hangs: no answer within 0 s",
        "scoring works again",
    ]


def test_run_a_receiver_that_fails_does_not_end_scoring(batcher: Batcher, encoder: _MeanEncoder) -> None:
    def refuse(logits: list[Logit]) -> None:
        raise ValueError("nobody listens")

    worker = Worker(batcher, encoder, "demo", refuse, LiveClock())
    worker.start()
    for expected in (1, 2):
        batcher.offer(_crop("1"))
        wait_until(lambda count=expected: worker.statistics().errors == count)  # type: ignore[misc]
    assert worker.stop(timeout_s=30)


class _Beside:
    """A worker whose encoder works beside it: one crop has told how fast, and eight wait that came meanwhile."""

    def __init__(self, batcher: Batcher, answers: _Answers, *, crop_s: float = 0.01, refuses_from: int = 99) -> None:
        self.encoder = _Apart(crop_s)
        self.encoder.refuses_from = refuses_from
        self.worker = Worker(batcher, self.encoder, "demo", answers, self.encoder.clock)
        self.worker.start()
        batcher.offer(_crop("0"))
        wait_until(lambda: self.encoder.handed == [[0]])
        for index in range(1, 9):
            batcher.offer(_crop(str(index), value=index))

    def stop(self) -> None:
        self.encoder.answer(99)
        assert self.worker.stop(timeout_s=30)


def test_an_encoder_beside_us_is_handed_the_next_batch_while_it_has_one(batcher: Batcher, answers: _Answers) -> None:
    beside = _Beside(batcher, answers)
    encoder = beside.encoder
    encoder.answer(1)
    wait_until(lambda: encoder.handed == [[0], [1, 2, 3, 4], [5, 6, 7, 8]])
    assert len(answers.logits) == 1
    encoder.answer(2)
    answers.wait_for(9)
    beside.stop()
    assert [logit.logit for logit in answers.logits] == list(range(9))
    statistics = beside.worker.statistics()
    assert (statistics.crops, statistics.errors, statistics.awaited_s, statistics.failure) == (9, 0, 0.0, None)
    assert statistics.busy_s == pytest.approx(9 * 0.01)  # no time is counted twice
    assert statistics.waits.total == pytest.approx(8 * 0.01)  # both batches were handed over at 0.01 s
    assert statistics.latencies.total == pytest.approx(0.01 + 4 * 0.05 + 4 * 0.09)


def test_a_batch_that_is_not_full_waits_until_the_one_before_is_done(batcher: Batcher, answers: _Answers) -> None:
    beside = _Beside(batcher, answers)
    batcher.forget("lobby", "8")
    beside.encoder.answer(1)
    wait_until(lambda: len(beside.encoder.handed) == 2)
    time.sleep(0.1)
    assert beside.encoder.handed == [[0], [1, 2, 3, 4]]
    beside.encoder.answer(1)
    wait_until(lambda: beside.encoder.handed[2:] == [[5, 6, 7]])
    beside.stop()
    assert beside.worker.statistics().crops == 8


def test_a_slow_encoder_beside_us_gets_one_batch_at_a_time(batcher: Batcher, answers: _Answers) -> None:
    beside = _Beside(batcher, answers, crop_s=0.2)
    beside.encoder.answer(3)
    answers.wait_for(9)
    beside.stop()
    statistics = beside.worker.statistics()
    assert statistics.busy_s == pytest.approx(9 * 0.2)
    # Handed over when the one before was answered, at 0, 0.2 and 1 s.
    assert statistics.waits.total == pytest.approx(4 * 0.2 + 4 * 1.0)


def test_one_that_is_refused_beside_another_costs_no_more_before_that_is_heard(
    batcher: Batcher, answers: _Answers
) -> None:
    """A process has died with a batch: what waits is not given to it, batch after batch, while nobody asks for that."""
    beside = _Beside(batcher, answers, refuses_from=2)
    for index in range(9, 17):
        batcher.offer(_crop(str(index), value=index))
    beside.encoder.answer(1)
    wait_until(lambda: beside.worker.statistics().lost == 4)
    time.sleep(0.2)
    assert beside.encoder.refused == [4]
    beside.encoder.refuses_from = 99
    beside.encoder.answer(3)
    answers.wait_for(13)
    beside.stop()
    assert beside.worker.statistics().errors == 1
    assert beside.worker.statistics().busy_s == pytest.approx(13 * 0.01)


def test_stop_waits_for_both_batches(batcher: Batcher, answers: _Answers) -> None:
    beside = _Beside(batcher, answers)
    beside.encoder.answer(1)
    wait_until(lambda: len(beside.encoder.handed) == 3)
    assert not beside.worker.stop(timeout_s=0.1)
    assert len(answers.logits) == 1
    beside.stop()
    assert len(answers.logits) == 9


def test_stop_waits_for_the_batch_in_progress(
    batcher: Batcher, worker: Worker, encoder: _MeanEncoder, answers: _Answers
) -> None:
    encoder.gate.clear()
    batcher.offer(_crop("1"))
    assert encoder.inside.wait(30)
    assert not worker.stop(timeout_s=0.05)  # still inside the encoder
    encoder.gate.set()
    assert worker.stop(timeout_s=30)
    assert len(answers.logits) == 1


def test_stop_before_the_start_is_done_at_once(batcher: Batcher, encoder: _MeanEncoder, answers: _Answers) -> None:
    assert Worker(batcher, encoder, "demo", answers, LiveClock()).stop(timeout_s=0)
