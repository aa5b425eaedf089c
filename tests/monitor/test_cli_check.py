"""`gend-monitor check --capacity` as a shell sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.demo.clip import make_clip
from tests.monitor.test_cli import monitor, written


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "call.mp4"
    make_clip(path, seconds=3, manipulated_from_s=99, names=["astronaut"])
    return path


def test_capacity_is_told_with_what_limits_it(call: Path, tmp_path: Path) -> None:
    streams = [{"name": "tape", "url": f"file:{call}"}]
    result = monitor("check", written(tmp_path / "m.yaml", streams=streams), "--capacity", "--seconds", "3")
    assert result.returncode == 0, result.stderr
    assert "broker: embedded" in result.stdout
    (told,) = (line for line in result.stdout.splitlines() if line.startswith("capacity: "))
    assert "what runs out first: " in told
    assert "assumed: faces as in these seconds" in result.stdout


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
