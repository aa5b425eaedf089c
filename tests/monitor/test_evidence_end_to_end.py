"""An alert's package from a running service: whole, signed, and nowhere where it was not asked for."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import av
import pytest
import yaml

from monitor import evidence
from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.parts import load_parts
from monitor.pipeline import Pipeline
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def fake_call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call in which the one person is manipulated from the start."""
    path = tmp_path_factory.mktemp("clips") / "fake-call.mp4"
    make_clip(path, seconds=15, manipulated_from_s=0, names=["astronaut"])
    return path


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("isolation", ["process", pytest.param("thread", marks=pytest.mark.long)])
def test_an_alert_leaves_a_package_that_is_whole_and_signed(isolation: str, fake_call: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    config = {
        "streams": [{"name": "tape", "url": f"file:{fake_call}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "workers": {"isolation": isolation},
        "evidence": {"folder": str(folder), "clip_s": 5},
    }
    with RunningService(tmp_path, config) as service, Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
        alert = subscriber.wait_for("gend/alerts/tape", type="raised")
        (package,) = wait_until(lambda: list(folder.glob("tape/*")))
        wait_until(lambda: "evidence_written_total 1.0" in metrics(service))
        (fingerprint,) = re.findall(r"fingerprint ([0-9a-f]{64})", service.log_text())
        second = subprocess.run(
            [sys.executable, "-m", "monitor", "run", other_config(service.path, tmp_path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert service.terminate()[0] == 0
    assert second.returncode == 1
    assert f"evidence.folder: {folder}: in use by another gend-monitor" in second.stderr
    assert package.name.endswith(alert["alert_id"])
    assert json.loads((package / "alert.json").read_text()) == alert
    assert alert["snapshot_url"] is None
    assert {"alert.json", "crops/01.png", "clip.mp4", "index.html", "manifest.json", "manifest.sig", "signer.pem"} <= {
        *files_below(package)
    }
    with av.open(str(package / "clip.mp4")) as clip:
        shown = sum(1 for _ in clip.decode(video=0))
        assert shown > 15
        assert clip.duration is not None
        assert clip.duration <= 10.5 * av.time_base  # twice `clip_s`, because it begins at a keyframe
    html = (package / "index.html").read_text()
    assert not re.search(r'(?:src|href|action)="(?!data:|clip\.mp4")', html)
    assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)|url\(", html)
    assert "demo encoder: not for real use" in html
    assert "Not calibrated" in html
    known = verify(folder, "--key", fingerprint)
    assert (known.returncode, known.stdout) == (0, f"{package}: intact, signed by {fingerprint}\n")
    unknown = verify(package)
    assert (unknown.returncode, unknown.stdout) == (0, f"{package}: intact, signer unknown (key {fingerprint})\n")
    manifest = json.loads((package / "manifest.json").read_text())
    assert manifest["model_sha256"] == alert["model"]["sha256"]
    assert manifest["calibration_sha256"] is None
    assert not list((folder / ".unfinished").iterdir())
    for name in files_below(package):
        content = (package / name).read_bytes()
        middle = len(content) // 2
        (package / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        assert not evidence.verify(package, None)[0].intact, name
        (package / name).write_bytes(content)
    assert verify(package, "--key", fingerprint).returncode == 0


def metrics(service: RunningService) -> str:
    text: str = urllib.request.urlopen(f"{service.web_url}/metrics").read().decode()
    return text


def other_config(path: Path, folder: Path) -> str:
    """The same service with another database."""
    other = folder / "other.yaml"
    other.write_text(path.read_text().replace("alerts.db", "other.db"))
    return str(other)


def test_without_evidence_nothing_is_kept_anywhere(fake_call: Path, tmp_path: Path) -> None:
    config = {
        "streams": [{"name": "tape", "url": f"file:{fake_call}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "workers": {"isolation": "thread"},
    }
    with RunningService(tmp_path, config) as service, Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
        subscriber.wait_for("gend/alerts/tape", type="raised")
        assert "gend_evidence" not in metrics(service)
        service.terminate()
    assert {name.partition(".")[0] for name in files_below(tmp_path)} == {"alerts", "monitor"}


@pytest.mark.parametrize("section", [None, {"folder": "nowhere", "clip_s": 0}])
def test_without_evidence_or_clips_no_ring_runs(section: object, fake_call: Path, tmp_path: Path) -> None:
    config = MonitorConfig.model_validate(
        {
            "streams": [{"name": "tape", "url": f"file:{fake_call}"}],
            "encoder": {"weights": "demo"},
            "workers": {"isolation": "thread"},
            "evidence": section,
        }
    )
    parts = load_parts(config)

    async def absence() -> str | None:
        return Pipeline(config, parts, run_id="run").requests.write_clip("tape", tmp_path / "clip").result(0).absence

    assert asyncio.run(absence()) == "nothing is kept of the stream"


def test_an_evidence_folder_that_cannot_be_used_ends_with_1_and_one_line(fake_call: Path, tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    tree = {
        "streams": [{"name": "tape", "url": f"file:{fake_call}"}],
        "encoder": {"weights": "demo"},
        "mqtt": {"url": "embedded:"},
        "store": {"url": f"sqlite+aiosqlite:///{tmp_path / 'alerts.db'}"},
        "web": {"port": 0},
        "evidence": {"folder": str(tmp_path / "in-the-way" / "evidence")},
    }
    path = tmp_path / "monitor.yaml"
    path.write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "monitor", "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last == f"error: evidence.folder: {tmp_path / 'in-the-way' / 'evidence'}: Not a directory"
