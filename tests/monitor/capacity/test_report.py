"""A real clip, real workers in processes of their own, and the demo encoder."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import psutil
import pytest

from monitor.capacity import CapacityReport, measure_capacity
from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from tests.processes import descendants
from tests.waiting import wait_until

_SECONDS = 3.2


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "call.mp4"
    make_clip(path, seconds=3, manipulated_from_s=99, names=["astronaut", "t1-1"])
    return path


def config_of(*streams: dict[str, object]) -> MonitorConfig:
    return MonitorConfig.model_validate({"streams": streams, "encoder": {"weights": "demo"}})


def measured(config: MonitorConfig, *opened: str, told: list[tuple[str, float]] | None = None) -> CapacityReport:
    told = [] if told is None else told
    return measure_capacity(
        config, opened, seconds=_SECONDS, open_s=60, progress=lambda what, part: told.append((what, part))
    )


def test_a_recording_costs_something_of_everything_and_the_smallest_limit_is_named(call: Path) -> None:
    config = config_of(
        {"name": "tape", "url": f"file:{call}"},
        {"name": "visitor", "url": "whip:", "token": "a long enough token"},
        {"name": "gone", "url": "file:/nowhere.mp4"},
    )
    told: list[tuple[str, float]] = []
    report = measured(config, "tape", "visitor", told=told)
    tape, visitor, gone = report.streams
    assert (report.error, tape.error) == (None, None)
    assert tape.cost is not None
    assert 0.005 < tape.cost.cores < (psutil.cpu_count() or 1)
    assert 5 < tape.cost.memory_mb < 2000
    # Longer than the recording: it was played again.
    assert tape.cost.seconds > 3
    assert tape.cost.fps > 5
    assert tape.cost.faces == pytest.approx(2, abs=0.7)
    assert tape.cost.faces_share > 0.5
    assert tape.cost.crops_per_s == pytest.approx(2, abs=1)
    assert "nobody publishes" in (visitor.error or "")
    assert "cannot be opened" in (gone.error or "")
    assert report.encoder is not None
    assert report.encoder.crops_per_s > 1
    assert 0 < report.encoder.cpu_s_per_crop < 10
    assert report.encoder.elsewhere_cores >= 0
    assert report.encoder.name.startswith("demo, ")
    assert report.answer is not None
    limits = {limit.name: limit.streams or math.inf for limit in report.answer.limits}
    assert limits[report.answer.limit] == min(limits.values())
    assert report.answer.streams == math.floor(min(limits.values()))
    assert ("tape", 1.0) in told


def test_without_a_stream_to_measure_nothing_is_guessed() -> None:
    report = measured(config_of({"name": "visitor", "url": "whip:", "token": "a long enough token"}), "visitor")
    assert report.answer is None
    assert report.error == "no stream can be measured"
    assert report.encoder is None  # nothing is loaded in vain


@pytest.mark.long
def test_a_stream_whose_process_dies_meanwhile_is_not_measured(call: Path) -> None:
    found: list[CapacityReport] = []
    told: list[tuple[str, float]] = []
    config = config_of({"name": "doomed", "url": f"file:{call}"})
    measuring = threading.Thread(target=lambda: found.append(measured(config, "doomed", told=told)))
    measuring.start()
    wait_until(lambda: any(what == "doomed" and part > 0.1 for what, part in told))
    (worker,) = descendants(os.getpid(), "gend-doomed")
    worker.kill()
    measuring.join(120)
    (stream,) = found[0].streams
    assert stream.cost is None
    assert "not measured: connecting meanwhile: its process was killed (SIGKILL)" in (stream.error or "")
    assert (found[0].answer, found[0].error) == (None, "no stream could be measured")
