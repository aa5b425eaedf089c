"""The encoder's process: crashed, killed, frozen. The tests share a service and run in their order; two end it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.broker import Mosquitto
from tests.faults.machine_clips import flickering
from tests.faults.table import FaultTable
from tests.faults.watched import Watched
from tests.monitor.service import RunningService, Subscriber
from tests.processes import descendants, gone
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by names that Linux alone shows")


class _Patient(Watched):
    """A service whose encoder's process an operator would find by its name."""

    def encoder(self) -> psutil.Process:
        """The process that can be asked, or is being loaded."""
        return wait_until(self._find)

    def _find(self) -> psutil.Process | None:
        assert self.service.process is not None
        return next(iter(descendants(self.service.process.pid, "gend-encoder")), None)


@pytest.fixture(scope="module")
def overdue_s(soak: bool) -> float:
    """When a batch is said to hang: sooner than it really is, where there is little time."""
    return 10 if soak else 4


@pytest.fixture(scope="module")
def patient(overdue_s: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Patient]:
    folder = tmp_path_factory.mktemp("encoder")
    stream = {"name": "flicker", "url": f"file:{flickering(folder / 'flicker.mp4')}", "loop": True}
    command = (sys.executable, "-m", "tests.faults.impatient", str(overdue_s))
    with Mosquitto(folder) as broker, Subscriber(broker.port, "gend/#") as subscriber:
        config = {"streams": [stream], "mqtt": {"url": broker.url}}
        with RunningService(folder, config, command=command) as service:
            patient = _Patient(service, subscriber)
            patient.until_well()
            patient.until(lambda: patient.metric("crops_scored_total") > 0)
            yield patient


def test_the_service_itself_loads_no_torch(patient: _Patient) -> None:
    assert patient.service.process is not None
    assert "libtorch" not in Path(f"/proc/{patient.service.process.pid}/maps").read_text()
    assert "libtorch" in Path(f"/proc/{patient.encoder().pid}/maps").read_text()


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (signal.SIGSEGV, "its process crashed (SIGSEGV)"),
        (signal.SIGKILL, "its process was killed (SIGKILL)"),
        (signal.SIGSTOP, "a batch was overdue, and its process was killed"),
    ],
)
def test_an_encoder_that_is_lost_is_named_and_replaced(
    patient: _Patient, faults: FaultTable, overdue_s: float, number: signal.Signals, seen: str
) -> None:
    reason = f"scoring fails: encoder: {seen}; another is started"
    restarts, hangs = patient.metric("encoder_restarts_total"), patient.metric("encoder_hangs_total")
    lost = patient.encoder()
    os.kill(lost.pid, number)
    fault = f"the encoder's process ended by {number.name}"
    if number == signal.SIGSTOP:
        fault = f"the encoder's process frozen, and killed after {overdue_s:.0f} s (10 s by default)"
    patient.until(lambda: patient.health()[1]["encoder"] == reason)
    with faults.recovery(fault, f"/readyz 503: {reason}"):
        scored = patient.metric("crops_scored_total")
        patient.until(lambda: patient.metric("crops_scored_total") > scored)
        patient.until_well()
    assert patient.metric("encoder_restarts_total") == restarts + 1
    assert patient.metric("encoder_hangs_total") == hangs + (number == signal.SIGSTOP)
    assert patient.metric("crops_dropped_total", cause="failed") > 0 or number == signal.SIGSEGV
    assert patient.lines(f"encoder: {seen}; another is started") >= 1
    assert gone(lost)
    patient.until_frames("flicker")


def test_a_frozen_encoder_does_not_hold_up_the_end_nor_outlives_it(patient: _Patient) -> None:
    frozen = patient.encoder()
    os.kill(frozen.pid, signal.SIGSTOP)
    patient.until(lambda: patient.metric("encoder_awaited_seconds") > 0)
    code, took_s = patient.service.terminate()
    assert (code, took_s < 8) == (0, True)
    wait_until(lambda: gone(frozen))


def test_an_encoder_ends_with_a_service_that_is_killed(patient: _Patient, faults: FaultTable) -> None:
    patient.service.start()
    encoder = patient.encoder()
    patient.service.kill()
    with faults.recovery("the service killed (SIGKILL): its encoder", "the encoder's process leaves"):
        wait_until(lambda: gone(encoder))
