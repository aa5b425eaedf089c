"""Learning as a user has it: `run` beside its work, `calibrate --live` for nothing else, and what a restart keeps."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.calibrating import calibrate_files
from monitor.config import MonitorConfig
from monitor.decision import read_calibration
from monitor.decision.calibration import Session
from monitor.decision.measured import read_measured
from monitor.demo.clip import make_clip
from monitor.learning import Choice, choose
from tests.monitor.learning.learnt import HOURS as LEARNT_HOURS
from tests.monitor.learning.learnt import piece
from tests.monitor.learning.learnt import written as learnt_before
from tests.monitor.service import RunningService, Subscriber
from tests.monitor.test_cli import monitor, written
from tests.waiting import wait_until

HOURS = 0.002
"""A session of 7.2 s: long beside the looks at whether a stream is live."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "real.mp4"
    make_clip(path, seconds=20, manipulated_from_s=math.inf, names=["astronaut", "t1-1"])
    return path


def settings(clip: Path, **decision: object) -> dict[str, object]:
    stream = {"name": "tape", "url": f"file:{clip}", "loop": True}
    return {
        "streams": [stream],
        "mqtt": {"url": "embedded:"},
        "decision": {"threshold": 1000, "min_blocks": 4, **decision},
    }


def chosen(path: Path) -> Choice:
    return choose(read_measured(path), ["tape"], datetime.now(UTC))


def test_run_learns_beside_its_work_and_a_calibration_is_made_of_it(real: Path, tmp_path: Path) -> None:
    learnt = tmp_path / "learnt"
    with RunningService(tmp_path, settings(real, learning=str(learnt), session_hours=HOURS)) as service:
        wait_until(lambda: chosen(learnt).kept)
        scraped = urllib.request.urlopen(f"{service.web_url}/metrics", timeout=10).read().decode()
        busy = monitor("calibrate", "--live", "--config", service.path, "--out", tmp_path / "b.json")
        code, _ = service.terminate()
    assert code == 0, service.log_text()
    figures = dict(line.rsplit(" ", 1) for line in scraped.splitlines() if line.startswith("gend_learning"))
    assert float(figures["gend_learning_crops_total"]) >= 8
    assert float(figures["gend_learning_fakes_total"]) >= 2
    assert float(figures["gend_learning_failing"]) == 0
    assert busy.returncode == 1
    assert busy.stderr.splitlines()[-1] == f"error: {learnt}: another process learns into it"
    assert chosen(learnt).kept[0].crops >= 8
    assert sum(len(fakes.logit) for session in read_measured(learnt).sessions.values() for fakes in session.fakes) >= 2

    out = tmp_path / "tape.json"
    made = monitor("calibrate", "--learnt", "--config", service.path, "--out", out)
    assert made.returncode == 0, made.stderr
    assert "calibrated: false; 0.1 a day cannot be promised" in made.stdout
    assert "not over yet" in made.stdout or "watched for" in made.stdout
    assert len(read_calibration(out).sessions) == len(chosen(learnt).kept)


def test_run_does_not_add_to_what_was_learnt_of_another_encoder(real: Path, tmp_path: Path) -> None:
    learnt = learnt_before(tmp_path / "learnt", piece(7, "tape"), streams=("tape",))
    before = learnt.read_bytes()
    config = written(tmp_path / "m.yaml", **settings(real, learning=str(learnt), session_hours=LEARNT_HOURS))
    refused = monitor("run", config)
    assert refused.returncode == 2
    line = refused.stderr.splitlines()[-1]
    assert line.startswith(f"error: {learnt}: made for the encoder demo (abababababab, adapter None), but demo (")
    assert line.endswith("(stream tape); learn into another file")
    assert learnt.read_bytes() == before
    assert not (tmp_path / "alerts.db").exists()


@pytest.mark.long
def test_live_is_stopped_and_goes_on_and_ends_with_a_calibration(real: Path, tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", **settings(real))
    out = tmp_path / "tape.json"
    days = str(2 * HOURS / 24)
    command = ["calibrate", "--live", "--days", days, "--session-hours", str(HOURS), "--config", str(config)]
    first = subprocess.Popen(
        [sys.executable, "-m", "monitor", *command, "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    learnt = tmp_path / "tape.json.learnt"
    wait_until(
        lambda: (
            learnt.is_file() and learnt.stat().st_size and any(s.crops for s in read_measured(learnt).sessions.values())
        )
    )
    first.send_signal(signal.SIGINT)
    said, errors = first.communicate(timeout=30)
    assert first.returncode == 130, errors
    assert "0 of 2 sessions complete (tape 0); calibrated: false" in said
    assert said.splitlines()[-1] == f"stopped; what was learnt is in {learnt}, the same command goes on"
    assert not out.exists()
    before = sum(session.crops for session in read_measured(learnt).sessions.values())
    assert before > 0

    second = monitor(*command, "--out", out, timeout_s=110)
    assert second.returncode == 0, second.stderr
    assert "2 of 2 sessions complete (tape 2)" in second.stdout
    assert "2 sessions of 7 s" in second.stdout
    assert second.stdout.splitlines()[-2] == f"{out} written"
    calibration = read_calibration(out)
    assert len(calibration.sessions) == 2
    assert all(len(session.peaks) >= 2 for session in calibration.sessions)
    assert sum(session.crops for session in read_measured(learnt).sessions.values()) > before
    assert not (tmp_path / "alerts.db").exists()


@pytest.mark.long
def test_a_restart_does_not_give_a_session_its_alerts_anew(real: Path, tmp_path: Path) -> None:
    config = MonitorConfig.model_validate(
        {"streams": [{"name": "tape", "url": "file:tape.mp4"}], "encoder": {"weights": "demo"}}
    )
    made = calibrate_files([real], config, tmp_path / "short.json")
    track = made.sessions[0].tracks[0]
    tracks = (track.model_copy(update={"peak": 0.001 * n}) for n in range(1000))
    sessions = tuple(Session(name=f"s{n}", tracks=(each,)) for n, each in enumerate(tracks))
    day = made.model_copy(update={"sessions": sessions, "session_hours": 24.0})
    day.write(tmp_path / "day.json")
    fake = tmp_path / "fake.mp4"
    make_clip(fake, seconds=9, manipulated_from_s=0, names=["astronaut"])
    asked = settings(fake, calibration=str(tmp_path / "day.json"), false_alarms_per_stream_day=0.1)
    with RunningService(tmp_path, asked) as service:
        with Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
            subscriber.wait_for("gend/alerts/tape", type="raised")
        service.terminate()
        service.start()
        with Subscriber(service.mqtt_port, "gend/#") as subscriber:
            while "session's alerts used up" not in subscriber_reasons(subscriber):
                pass
            raised = [topic for topic, payload in subscriber.passed if b'"raised"' in payload]
        assert service.terminate()[0] == 0
    assert raised == []


def subscriber_reasons(subscriber: Subscriber) -> str:
    """Why the next verdict is what it is."""
    while True:
        topic, payload = subscriber.messages.get(timeout=60)
        subscriber.passed.append((topic, payload))
        if topic.startswith("gend/streams/tape/tracks/"):
            return payload.decode()
