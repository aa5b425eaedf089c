"""The command line as a shell sees it: exit codes, one line per error, nothing half-started."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def monitor(*arguments: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def written(path: Path, **sections: object) -> Path:
    tree = {
        "streams": [{"name": "tape", "url": "file:/nowhere.mp4"}],
        "encoder": {"weights": "demo"},
        "mqtt": {"url": "embedded:"},
        "store": {"url": f"sqlite+aiosqlite:///{path.parent / 'alerts.db'}"},
        **sections,
    }
    path.write_text(yaml.safe_dump(tree))
    return path


def test_help_tells_every_command_with_an_example() -> None:
    overview = monitor("--help")
    assert overview.returncode == 0
    for command in ("run", "check", "demo", "replay", "alerts", "schema"):
        assert command in overview.stdout
        assert "Example: gend-monitor " + command in monitor(command, "--help").stdout


def test_schema_describes_the_configuration() -> None:
    schema = json.loads(monitor("schema").stdout)
    assert schema["required"] == ["streams"]
    assert schema["additionalProperties"] is False


def test_bad_usage_ends_with_2() -> None:
    assert monitor("run").returncode == 2
    assert monitor("fly").returncode == 2
    assert monitor("demo", "--timeout-s", "soon").returncode == 2


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_configuration_ends_with_2_and_one_line_per_fault(command: str, tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", streams=[{"name": "a", "url": "rtsp://x/y", "colour": 1}], nonsense=2)
    result = monitor(command, config)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"error: {config}: streams.a.colour: unknown key",
        f"error: {config}: nonsense: unknown key",
    ]
    assert "Traceback" in monitor(command, config, "--debug").stderr


def test_missing_weights_end_with_1_and_nothing_is_started(tmp_path: Path) -> None:
    config = written(tmp_path / "m.yaml", encoder={"weights": str(tmp_path / "none.safetensors")})
    result = monitor("run", config)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "none.safetensors" in result.stderr
    assert not (tmp_path / "alerts.db").exists()


def test_a_port_in_use_ends_with_1_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = monitor("run", written(tmp_path / "m.yaml", web={"port": port}))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"error: web.port: cannot listen on 127.0.0.1:{port}: ")
    assert not (tmp_path / "alerts.db").exists()


def test_check_as_json_follows_the_contract(tmp_path: Path) -> None:
    result = monitor("check", written(tmp_path / "m.yaml"), "--json", "--timeout-s", "5")
    report = json.loads(result.stdout)
    assert result.returncode == 1
    assert report["ok"] is False
    assert set(report["streams"][0]) == {"name", "ok", "codec", "width", "height", "fps", "error"}
    assert report["streams"][0]["name"] == "tape"


def test_replay_of_no_video_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    result = monitor("replay", text, "--weights", "demo")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {text}: ")
    assert len(result.stderr.splitlines()) == 1


def test_alerts_without_a_store_says_so(tmp_path: Path) -> None:
    result = monitor("alerts", "--config", written(tmp_path / "m.yaml"))
    assert result.returncode == 1
    assert "alerts.db: no such file" in result.stderr
