"""`gend-monitor check --capacity` as a shell sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.capacity import CapacityReport, EncoderCost, Machine, StreamCost, StreamMeasurement, capacity_of
from monitor.cli_check import print_capacity
from monitor.demo.clip import make_clip
from tests.monitor.test_cli import monitor, written


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "call.mp4"
    make_clip(path, seconds=3, manipulated_from_s=99, names=["astronaut"])
    return path


def test_capacity_is_told_with_what_limits_it_and_what_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine(cores=8, memory_mb=8000)
    cost = StreamCost(seconds=10, cores=0.15, memory_mb=52, fps=25, faces=1.4, faces_share=0.9, crops_per_s=1.0)
    encoder = EncoderCost("large, bf16", crops_per_s=1.9, cpu_s_per_crop=0.5, elsewhere_cores=1.1)
    streams = (StreamMeasurement("lobby", cost), StreamMeasurement("visitor", error="not measured: nobody publishes"))
    print_capacity(CapacityReport(machine, encoder, streams, capacity_of(machine, [cost], encoder, 1.0)))
    told = capsys.readouterr().out
    assert "1.4 (90% of the time)" in told
    assert "visitor: not measured: nobody publishes" in told
    assert "other programs took 1.1 cores meanwhile" in told
    assert "a stream wants 1.00 of 1.9 crops/s" in told
    assert "capacity: 1 stream like these; what runs out first: encoder; what helps: a GPU" in told
    assert "the encoder is enough for 1.5 faces at a time" in told
    assert "assumed: faces as in these seconds; 20% of everything kept free" in told


def test_capacity_as_json_is_an_object_beside_the_rest(call: Path, tmp_path: Path) -> None:
    streams = [{"name": "tape", "url": f"file:{call}"}]
    config = written(tmp_path / "m.yaml", streams=streams)
    report = json.loads(monitor("check", config, "--json", "--capacity", "--seconds", "3").stdout)
    assert report["ok"] is True
    capacity = report["capacity"]
    assert set(capacity) == {"machine", "encoder", "streams", "answer", "error"}
    assert capacity["streams"][0]["cost"]["cores"] > 0
    assert capacity["answer"]["limit"] in {limit["name"] for limit in capacity["answer"]["limits"]}


def test_capacity_of_streams_that_nobody_publishes_is_not_known(tmp_path: Path) -> None:
    streams = [{"name": "visitor", "url": "whip:", "token": "a long enough token"}]
    config = written(tmp_path / "m.yaml", streams=streams)
    result = monitor("check", config, "--capacity")
    assert result.returncode == 1
    assert "visitor: not measured: nobody publishes to it while this is checked" in result.stdout
    assert "capacity: no stream can be measured" in result.stdout


@pytest.mark.long
def test_capacity_that_is_interrupted_ends_without_measuring_on(call: Path, tmp_path: Path) -> None:
    streams = [{"name": name, "url": f"file:{call}"} for name in ("one", "two", "three")]
    config = written(tmp_path / "m.yaml", streams=streams)
    command = [sys.executable, "-m", "monitor", "check", str(config), "--capacity", "--seconds", "3000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("one: live" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "two: live" not in said
    assert "Traceback" not in said
