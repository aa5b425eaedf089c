"""The tutorial of `docs/fine-tuning.md`, command by command."""

from __future__ import annotations

import json
import math
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gend.adapter import load_adapter
from monitor.demo.clip import make_clip
from tests.broker import Mosquitto
from tests.gend.data.footage import need_detector
from tests.monitor.service import RunningService, Subscriber

_PROJECT = Path(__file__).parents[2]
_PAGE = (_PROJECT / "docs" / "fine-tuning.md").read_text()
_BINARIES = Path(sys.executable).parent


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


def commands() -> list[list[str]]:
    """Every line of the page that begins with `$`, as words."""
    blocks = re.findall(r"```console\n(.*?)```", _PAGE, re.DOTALL)
    return [shlex.split(line[2:]) for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_tutorial_leads_from_recordings_to_a_stream_that_uses_the_adapter(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_detector()
    (tmp_path / "configs").symlink_to(_PROJECT / "configs")
    for day, names in (("train/real/monday", ["t1-1"]), ("validation/real/tuesday", ["t1-2"])):
        path = tmp_path / "recordings" / f"{day}.mp4"
        path.parent.mkdir(parents=True)
        make_clip(path, names=names, seconds=3, manipulated_from_s=math.inf)
    make_clip(tmp_path / "recordings" / "call.mp4", seconds=12, manipulated_from_s=0, names=["astronaut"])

    *tools, service_command = commands()
    assert [words[:2] for words in tools] == [
        ["gend", "prepare"],
        ["gend", "prepare"],
        ["gend", "train"],
        ["gend", "adapter"],
        ["gend", "test"],
        ["gend", "test"],
    ]
    for words in tools:
        done = subprocess.run(
            [_BINARIES / words[0], *words[1:]], cwd=tmp_path, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    adapter = load_adapter(tmp_path / "runs" / "lobby" / "adapter.safetensors")
    assert json.loads(adapter.training["configuration"])["model"]["detector"] == "demo"
    for run in ("before", "after"):
        assert (tmp_path / "runs" / run / "report.html").is_file()

    assert service_command == ["gend-monitor", "run", "monitor.yaml"]
    [block] = re.findall(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(block) | {"mqtt": {"url": broker.url}}
    with Subscriber(broker.port, "gend/#") as subscriber, RunningService(tmp_path, config):
        alert = subscriber.wait_for("gend/alerts/lobby", type="raised")
    assert alert["model"]["adapter"] == "lobby"
