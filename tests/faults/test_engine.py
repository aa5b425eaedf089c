"""An engine that raises, and one that hangs. The tests share a service and run in their order; the last one ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Mosquitto
from tests.faults.machine_clips import flickering, genuine
from tests.faults.table import FaultTable
from tests.faults.watched import Watched
from tests.monitor.service import RunningService, Subscriber


class Patient(Watched):
    """A service with an engine that does as it is told."""

    def __init__(self, service: RunningService, subscriber: Subscriber, fault: Path) -> None:
        super().__init__(service, subscriber)
        self._fault = fault

    def engine(self, fault: str) -> None:
        """`raise`, `hang`, or nothing to work again."""
        # In one step: the engine looks whenever it likes.
        new = self._fault.with_suffix(".new")
        new.write_text(fault)
        new.replace(self._fault)

    def degraded(self, stream: str) -> str:
        """Why a stream is not as it should be, as its retained status says."""
        return "; ".join(self.status(stream)["degraded"])

    def reasons(self) -> set[str]:
        """What the latest verdict on a face of the real stream gives as reasons."""
        topics = [topic for topic in self.topics() if topic.startswith("gend/streams/real/tracks/")]
        return set(self.heard(topics[-1])[-1]["reasons"]) if topics else set()

    def until_scored(self) -> None:
        """Waits for logits, and an alert, that have not come before."""
        logits, raised = self.metric("logits_total"), self.metric("alerts_raised_total")
        self.until(lambda: self.metric("logits_total") > logits)
        self.until_well()
        self.until(lambda: self.metric("alerts_raised_total") > raised)


@pytest.fixture(scope="module")
def overdue_s(soak: bool) -> float:
    """When a batch is said to hang: sooner than it really is, where there is little time."""
    return 10 if soak else 4


@pytest.fixture(scope="module")
def patient(overdue_s: float, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    folder = tmp_path_factory.mktemp("engine")
    fault = folder / "fault"
    fault.write_text("")
    streams = [
        {"name": "real", "url": f"file:{genuine(folder / 'real.mp4')}"},
        {"name": "flicker", "url": f"file:{flickering(folder / 'flicker.mp4')}", "loop": True},
    ]
    command = (sys.executable, "-m", "tests.faults.faulty_engine", str(fault), str(overdue_s))
    with Mosquitto(folder) as broker, Subscriber(broker.port, "gend/#") as subscriber:
        config = {
            "streams": streams,
            "mqtt": {"url": broker.url},
            "decision": {"threshold": 4, "min_blocks": 2, "refractory_s": 0},
            "faces": {"reassociate_s": 0.5},
            "encoder": {"weights": "demo", "max_age_s": 2},
        }
        with RunningService(folder, config, command=command) as service:
            patient = Patient(service, subscriber, fault)
            patient.until_well()
            patient.until(lambda: patient.metric("crops_scored_total") > 0)
            yield patient


def test_an_engine_that_raises_is_named_and_forgiven(patient: Patient, faults: FaultTable) -> None:
    patient.engine("raise")
    patient.until(lambda: "scoring fails: RuntimeError: the device is lost" in patient.degraded("real"))
    code, health = patient.health()
    assert (code, health["encoder"]) == (503, "scoring fails: RuntimeError: the device is lost")
    assert patient.metric("encoder_errors_total") > 0
    assert patient.metric("crops_dropped_total", cause="failed") > 0
    patient.until_frames("real")
    patient.engine("")
    with faults.recovery("engine raises", "/readyz 503, streams degraded, `encoder_errors`"):
        patient.until_scored()
    assert patient.lines("scoring fails") == 1
    assert patient.lines("scoring works again") == 1


def test_an_engine_that_hangs_is_named_while_it_does(
    patient: Patient, faults: FaultTable, overdue_s: float, soak: bool
) -> None:
    patient.engine("hang")
    patient.until(lambda: patient.health()[1]["encoder"].startswith("scoring hangs: no answer within "))
    time.sleep(50 if soak else 0)
    assert patient.health()[0] == 503
    assert patient.metric("encoder_awaited_seconds") >= overdue_s
    assert patient.metric("encoder_hangs_total") == 1
    assert patient.metric("encoder_errors_total") > 0  # of before
    patient.until(lambda: "starved" in patient.reasons())
    patient.until(lambda: "scoring hangs" in patient.degraded("real"))
    # A crop for each face there is at the most, and the newest.
    assert patient.metric("crops_waiting") <= 3
    assert patient.metric("crops_dropped_total", cause="replaced") > 0
    patient.until_frames("real")
    patient.engine("")
    with faults.recovery("engine hangs", "/readyz 503, streams degraded, `encoder_hangs`, verdicts `starved`"):
        patient.until_scored()
    assert patient.lines("scoring hangs") == 1
    assert patient.lines("scoring works again") == 2
    patient.until(lambda: "scoring" not in patient.degraded("real"))
    assert patient.heard("gend/alerts/real") == []


def test_a_hanging_engine_does_not_hold_up_the_end(patient: Patient) -> None:
    patient.engine("hang")
    patient.until(lambda: patient.metric("encoder_awaited_seconds") > 0)
    code, took_s = patient.service.terminate()
    assert (code, took_s < 8) == (0, True)
    assert patient.lines("the encoder is still busy") == 1
