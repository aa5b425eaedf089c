"""What is in `deploy`: well-formed, and in step with the rest of the project."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = {"none", "short", "s", "bytes", "percentunit", "cps", "suffix: fps", "suffix: cores"}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    return found


def graphs(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (panel for panel in board["panels"] if panel["type"] != "row")


def test_dashboard_panels_say_what_they_show(board: dict[str, Any]) -> None:
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Streams", "Encoder", "Alerts and outbox", "Service"]
    for panel in graphs(board):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"], panel["title"]


def test_dashboard_ids_and_places_are_each_panels_own(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in graphs(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


def test_dashboard_asks_the_data_source_that_is_chosen(board: dict[str, Any]) -> None:
    names = {variable["name"] for variable in board["templating"]["list"]}
    assert names == {"datasource", "instance", "stream"}
    asked = [*graphs(board), *(target for panel in graphs(board) for target in panel["targets"])]
    assert {each["datasource"]["uid"] for each in asked} == {"${datasource}"}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board["panels"])))
    assert used <= names, "a variable that nobody defines"


def test_alert_rules_have_words_and_a_severity() -> None:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_alert_rules_are_what_prometheus_reads() -> None:
    subprocess.run(["promtool", "check", "rules", DEPLOY / "alerts.yaml"], check=True, timeout=60)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_unit_is_what_systemd_reads(tmp_path: Path) -> None:
    unit = (DEPLOY / "gend-monitor.service").read_text()
    # Where it says that the program is, there is none on this machine.
    installed = unit.replace("/opt/gend-monitor/venv/bin/gend-monitor", sys.executable)
    assert installed != unit
    (tmp_path / "gend-monitor.service").write_text(installed)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "gend-monitor.service"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "gend-monitor.service" not in done.stdout + done.stderr


def test_services_get_the_time_that_an_orderly_end_takes() -> None:
    # From SIGTERM to exit 5 s at most; whoever kills earlier loses alerts.
    unit = (DEPLOY / "gend-monitor.service").read_text()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]) > 5
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert int(compose["services"]["monitor"]["stop_grace_period"].removesuffix("s")) > 5


def test_image_is_made_of_files_that_are_there_and_let_through() -> None:
    root = DEPLOY.parent
    let_through = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert copied == let_through
    assert [name for name in copied if not (root / name).exists()] == []


def test_compose_mounts_what_is_there() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./") and not mount.startswith("./config:")]
    assert len(files) == 3
    assert [name for name in files if not (DEPLOY / name).exists()] == []
    named = {mount.split(":")[0] for mount in mounts if not mount.startswith("./")}
    assert named == compose["volumes"].keys()
    used = {each["source"] for service in compose["services"].values() for each in service.get("configs", ())}
    assert used == compose["configs"].keys()
    for content in (compose["configs"][name]["content"] for name in ("datasource", "dashboards")):
        assert yaml.safe_load(content)["apiVersion"] == 1
