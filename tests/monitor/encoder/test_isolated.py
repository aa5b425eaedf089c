"""An encoder in a process of its own: crashed, killed, frozen, hung, given other files, orphaned."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import pytest

from gend.adapter import cut_adapter
from gend.checkpoint import load_checkpoint
from gend.errors import PictureError, WeightsError
from gend.model import Detector
from monitor.backoff import Backoff
from monitor.clock import LiveClock
from monitor.encoder import EncoderLostError, EncoderPlan, IsolatedEncoder
from monitor.messages import Crop, Logit, Pixels
from monitor.scoring import Batcher, Worker
from tests.logs import told
from tests.monitor.encoder.obedient import ObedientPlan
from tests.processes import gone
from tests.waiting import wait_until

_CROPS = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)


class _Patient:
    """An obedient encoder in a process of its own."""

    def __init__(self, folder: Path, adapters: dict[str, str] | None = None) -> None:
        self.orders = folder / "orders"
        self.orders.write_text("")
        self.weights = folder / "orders.weights"
        self.weights.write_text("abc")
        self.plan = ObedientPlan("w", adapters=adapters, orders=self.orders)
        self.encoder = IsolatedEncoder.load(self.plan, 4, backoff=Backoff(0.01, 0.01))

    def order(self, what: str) -> None:
        written = self.orders.with_suffix(".new")
        written.write_text(what)
        written.rename(self.orders)

    def pid(self) -> int:
        return wait_until(lambda: self.encoder.pid)

    def until_well(self) -> None:
        wait_until(lambda: self.encoder.failure is None)
        np.testing.assert_array_equal(self.encoder.logits(_CROPS), [0, 1, 2, 3])

    def loses(self) -> str:
        with pytest.raises(EncoderLostError) as lost:
            self.encoder.logits(_CROPS)
        return str(lost.value)


@contextlib.contextmanager
def _closing(patient: _Patient) -> Iterator[_Patient]:
    try:
        yield patient
    finally:
        patient.order("")
        patient.encoder.close()
        wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.endswith("-encoder")])


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[_Patient]:
    with _closing(_Patient(tmp_path)) as running:
        yield running


def test_it_answers_as_the_detector_does(tmp_path: Path) -> None:
    """The demo encoder, with fine-tunes, here and there."""
    own, files = cut_adapter(load_checkpoint("demo")[0]), {}
    for bias, name in enumerate(("hall", "yard"), start=1):
        tuned = replace(own, head_bias=own.head_bias + np.array([0, bias], np.float32))
        tuned.save(tmp_path / f"{name}.safetensors")
        files[name] = str(tmp_path / f"{name}.safetensors")
    here = Detector.load("demo", threads=1, adapters=files)
    there = IsolatedEncoder.load(EncoderPlan("demo", threads=1, adapters=files), 4)
    try:
        assert (there.identity, there.input_px, there.interpolation, there.notices, dict(there.adapters)) == (
            here.identity, here.input_px, here.interpolation, here.notices, dict(here.adapters),
        )  # fmt: skip
        crops: Pixels = np.random.default_rng(0).integers(0, 256, (7, 112, 112, 3), np.uint8)
        names = [None, "hall", "yard", "hall", None, "yard", None]
        np.testing.assert_allclose(there.logits(crops, names), here.logits(crops, names), atol=1e-5)
        for wrong in (crops[:0], crops[:, :64], crops[..., :2], cast("Pixels", crops.astype(np.float32))):
            with pytest.raises(PictureError):
                there.logits(wrong)
        with pytest.raises(WeightsError, match="nobody"):
            there.logits(crops[:1], ["nobody"])
        np.testing.assert_allclose(there.logits(crops[:3]), here.logits(crops[:3]), atol=1e-5)
    finally:
        there.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("crash", "its process crashed (SIGSEGV)"),
        ("kill", "its process was killed (SIGKILL)"),
    ],
)
def test_a_process_that_ends_costs_a_batch_and_is_replaced(
    patient: _Patient, fault: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    patient.until_well()
    pid = patient.pid()
    if fault == "crash":
        patient.order("crash")
    else:
        patient.order("hang")
        killing = threading.Thread(target=_kill_once, args=(pid, patient))
        killing.start()
    assert patient.loses() == f"encoder: {reason}; another is started"
    patient.order("")
    patient.until_well()
    assert patient.pid() != pid
    assert patient.encoder.restarts >= 1
    assert told(caplog, level=logging.WARNING)[0] == f"encoder: {reason}; another is started"


def _kill_once(pid: int, patient: _Patient) -> None:
    wait_until(patient.orders.with_suffix(".hangs").exists)
    patient.order("")  # before another process reads it
    os.kill(pid, signal.SIGKILL)


def test_one_that_ends_while_nobody_asks_is_replaced_too(patient: _Patient) -> None:
    pid = patient.pid()
    os.kill(pid, signal.SIGSEGV)
    wait_until(lambda: patient.encoder.restarts == 1)
    patient.until_well()
    assert patient.pid() != pid


def test_what_it_takes_of_the_machine_is_told_and_adds_up_over_processes(patient: _Patient) -> None:
    wait_until(lambda: patient.encoder.usage.cpu_s > 0 and patient.encoder.usage.memory_bytes > 10**6)
    before_s = patient.encoder.usage.cpu_s
    os.kill(patient.pid(), signal.SIGKILL)
    wait_until(lambda: patient.encoder.restarts == 1)
    assert patient.encoder.usage.cpu_s >= before_s
    patient.until_well()
    wait_until(lambda: patient.encoder.usage.cpu_s > before_s)


def test_a_batch_that_hangs_is_ended_by_the_worker(
    patient: _Patient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    monkeypatch.setattr("monitor.scoring.worker._WATCH_S", 0.01)
    monkeypatch.setattr("monitor.scoring.progress._FIRST_OVERDUE_S", 0.3)
    monkeypatch.setattr("monitor.scoring.progress._OVERDUE_S", 0.3)
    batcher, logits = Batcher(4, 1e9), list[Logit]()
    worker = Worker(batcher, patient.encoder, "w", logits.extend, LiveClock(), on_hang=patient.encoder.give_up)
    worker.start()
    try:
        patient.order("hang")
        batcher.offer(Crop("lobby", "1", 0.0, _CROPS[1], 1.0, 100))
        wait_until(patient.orders.with_suffix(".hangs").exists)
        patient.order("")  # before another process reads it
        wait_until(lambda: worker.statistics().errors == 1)
        overdue = "encoder: a batch was overdue, and its process was killed; another is started"
        wait_until(lambda: worker.failure == f"scoring fails: {overdue}")
        assert worker.statistics().hangs == 1
        wait_until(lambda: patient.encoder.failure is None)
        batcher.offer(Crop("lobby", "2", 0.0, _CROPS[2], 1.0, 100))
        wait_until(lambda: [logit.logit for logit in logits] == [2.0])
        wait_until(lambda: worker.failure is None)
    finally:
        worker.ask_to_stop()
    assert worker.stop(30)
    assert told(caplog)[0] == "scoring hangs: no answer within 0 s"
    wait_until(lambda: told(caplog)[-1] == "scoring works again")


def test_a_process_without_a_batch_is_not_given_up(patient: _Patient) -> None:
    patient.encoder.give_up()
    patient.until_well()
    assert patient.encoder.restarts == 0


def test_a_frozen_process_is_replaced(patient: _Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = patient.pid()
    monkeypatch.setattr(patient.encoder._life, "_patience_s", 2.0)
    os.kill(pid, signal.SIGSTOP)
    assert patient.loses() == "encoder: its process has sent nothing for 2 s and was killed; another is started"
    patient.until_well()
    assert not psutil.pid_exists(pid)


def test_errors_of_the_engine_pass_and_cost_no_process(patient: _Patient) -> None:
    pid = patient.pid()
    patient.order("refuse")
    with pytest.raises(RuntimeError, match=r"^the device is lost$"):
        patient.encoder.logits(_CROPS)
    patient.order("strange")
    with pytest.raises(RuntimeError, match=r"^UnicodeDecodeError: "):
        patient.encoder.logits(_CROPS)
    patient.order("")
    patient.until_well()
    assert patient.pid() == pid


def test_fine_tunes_change_and_outlive_the_process(tmp_path: Path) -> None:
    files = {name: str(tmp_path / name) for name in ("ten", "twenty")}
    (tmp_path / "ten").write_text("10")
    with _closing(_Patient(tmp_path, {"ten": files["ten"]})) as patient:
        encoder = patient.encoder
        with pytest.raises(WeightsError, match="is no fine-tune"):
            encoder.set_adapters(files)
        assert dict(encoder.adapters) == {"ten": "10.0"}
        (tmp_path / "twenty").write_text("20")
        encoder.set_adapters(files)
        assert dict(encoder.adapters) == {"ten": "10.0", "twenty": "20.0"}
        os.kill(patient.pid(), signal.SIGKILL)
        wait_until(lambda: encoder.restarts == 1 and encoder.failure is None)
        names = ["ten", None, "twenty", "ten"]
        np.testing.assert_array_equal(encoder.logits(_CROPS, names), [10, 1, 22, 13])


def test_what_is_asked_by_several_is_answered_in_its_order(patient: _Patient) -> None:
    """Two batches at a time are under way; a third waits for a place, and other fine-tunes come between."""
    encoder = patient.encoder
    one, two = (encoder.begin([_CROPS[number]], [None]) for number in (1, 2))
    three = encoder.begin([_CROPS[3], _CROPS[0]], [None, None])  # takes the answer to the first for its place
    np.testing.assert_array_equal(three.logits(), [3, 0])
    np.testing.assert_array_equal(two.logits(), [2])
    np.testing.assert_array_equal(one.logits(), [1])
    np.testing.assert_array_equal(encoder.logits(np.tile(_CROPS, (5, 1, 1, 1))), [0, 1, 2, 3] * 5)
    answers: dict[int, list[float]] = {}

    def ask(number: int) -> None:
        answers[number] = [float(encoder.logits(_CROPS[number : number + 1])[0]) for _ in range(50)]

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in asking:
        thread.start()
    for _ in range(5):
        encoder.set_adapters({})
    for thread in asking:
        thread.join(60)
    assert answers == {number: [number] * 50 for number in range(4)}


def test_all_that_a_process_had_is_lost_with_it(patient: _Patient) -> None:
    patient.order("hang")
    begun = [patient.encoder.begin([_CROPS[number]], [None]) for number in (1, 2)]
    wait_until(patient.orders.with_suffix(".hangs").exists)
    patient.order("")
    patient.encoder.give_up()
    for batch in begun:
        with pytest.raises(EncoderLostError, match="a batch was overdue"):
            batch.logits()
    patient.until_well()
    assert patient.encoder.restarts == 1
    with pytest.raises(EncoderLostError):
        begun[1].logits()


def test_one_that_answers_at_impossible_length_is_replaced(patient: _Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.encoder.isolated._REASON_S", 0.2)
    with monkeypatch.context() as short:
        short.setattr("monitor.encoder.session._LARGEST_ANSWER", 10)
        assert patient.loses().startswith("encoder: its process does not answer")
    wait_until(lambda: patient.encoder.restarts == 1)
    patient.until_well()


def test_a_lost_session_gives_its_memory_back_at_once(patient: _Patient) -> None:
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not tell of its memory")
    gc.collect()
    gc.disable()
    try:
        patient.order("hang")
        begun = [patient.encoder.begin([_CROPS[0]], [None]) for _ in range(2)]
        wait_until(patient.orders.with_suffix(".hangs").exists)
        patient.order("")
        patient.encoder.give_up()
        for batch in begun:
            with pytest.raises(EncoderLostError):
                batch.logits()
        del begun, batch
        wait_until(lambda: patient.encoder.restarts == 1)
        patient.until_well()
        assert _slabs() == 1
    finally:
        gc.enable()


def test_more_crops_than_a_batch_holds_are_our_own_fault(patient: _Patient) -> None:
    for count, names in ((5, 5), (2, 3)):
        with pytest.raises(ValueError, match="in a batch of 4"):
            patient.encoder.begin([_CROPS[0]] * count, [None] * names)
    patient.until_well()
    assert patient.encoder.restarts == 0


@pytest.mark.parametrize("changed", ["weights", "fine-tune"])
def test_nothing_is_judged_by_files_that_are_not_what_they_were(tmp_path: Path, changed: str) -> None:
    (tmp_path / "ten").write_text("10")
    with _closing(_Patient(tmp_path, {"ten": str(tmp_path / "ten")})) as patient:
        file, was, new = (patient.weights, "abc", "xyz") if changed == "weights" else (tmp_path / "ten", "10", "11")
        file.write_text(new)
        os.kill(patient.pid(), signal.SIGKILL)
        reason = "encoder: the files of weights or fine-tunes are not what they were; restart the service to take them"
        wait_until(lambda: (patient.encoder.failure or "").startswith(reason))
        assert patient.loses().startswith(reason)
        file.write_text(was)
        patient.until_well()


def test_weights_that_cannot_be_loaded_are_named_as_they_are_in_process(tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing.safetensors")
    with pytest.raises(WeightsError) as here:
        EncoderPlan(missing).load()
    with pytest.raises(WeightsError) as there:
        IsolatedEncoder.load(EncoderPlan(missing), 4)
    assert str(there.value) == str(here.value)
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name.endswith("-encoder")])


def test_a_crash_while_loading_is_an_error_at_the_start(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.write_text("crash")
    with pytest.raises(EncoderLostError, match=r"^encoder: its process crashed \(SIGSEGV\)$"):
        IsolatedEncoder.load(ObedientPlan("w", orders=orders), 4)
    orders.write_text("refuse")
    with pytest.raises(EncoderLostError, match=r"^encoder: RuntimeError: the device is lost$"):
        IsolatedEncoder.load(ObedientPlan("w", orders=orders), 4)


def test_closing_does_not_wait_for_a_batch(patient: _Patient) -> None:
    pid = patient.pid()
    patient.order("hang")
    losses: list[str] = []
    asking = threading.Thread(target=lambda: losses.append(patient.loses()))
    asking.start()
    wait_until(patient.orders.with_suffix(".hangs").exists)
    patient.encoder.close()
    wait_until(lambda: not psutil.pid_exists(pid))
    asking.join(60)
    assert losses == ["encoder: it is not needed any more"]
    assert patient.encoder.restarts == 0


@pytest.mark.long
def test_five_processes_later_nothing_is_left_behind(patient: _Patient) -> None:
    us, figures = psutil.Process(), []
    for number in range(1, 7):
        patient.until_well()
        if number in {1, 6}:
            figures.append((us.num_fds(), us.num_threads(), len(us.children(recursive=True)), _slabs()))
        os.kill(patient.pid(), signal.SIGKILL if number % 2 else signal.SIGSEGV)
        wait_until(lambda number=number: patient.encoder.restarts == number)  # type: ignore[misc]
    assert figures[0] == figures[1]


def _slabs() -> int:
    maps = Path("/proc/self/maps")
    return maps.read_text().count("memfd:gend") if maps.exists() else 0


def test_signals_to_all_processes_are_left_to_the_service(patient: _Patient) -> None:
    pid = patient.pid()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    time.sleep(0.3)
    patient.until_well()
    assert patient.pid() == pid
    if sys.platform == "linux":
        assert psutil.Process(pid).name() == "gend-encoder"


def test_an_orphaned_process_leaves_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    """Whoever asked is killed: nothing is left, not even of what hangs."""
    orders = tmp_path / "orders"
    orders.write_text("")
    orders.with_suffix(".weights").write_text("abc")
    service = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.orphaning_child", str(orders)], stdout=subprocess.PIPE, text=True
    )
    assert service.stdout is not None
    with service.stdout:
        encoder = psutil.Process(int(service.stdout.readline()))
        wait_until(orders.with_suffix(".hangs").exists)
        service.kill()
        service.wait()
        wait_until(lambda: gone(encoder))
