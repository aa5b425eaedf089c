"""One service with everything on: what its pages, dashboard and alert rules name is there, and its log is JSON.

The tests share the service and run in their order; the last one ends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families

from monitor.demo.clip import FPS, make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until
from tests.webhook_receiver import Receiver

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:gend|process)_[a-z0-9_]+")
DRIFT = {"gend_stream_drifted"}
"""Only where there is a calibration; `test_drift_end_to_end` sees it."""
SECRET = "s3cr%2Ft"


@dataclass(frozen=True)
class Telling:
    """The running service."""

    service: RunningService
    receiver: Receiver

    def scrape(self) -> str:
        return httpx.get(f"{self.service.web_url}/metrics").text

    def names(self) -> set[str]:
        """Of all samples, as Prometheus stores them."""
        families = text_string_to_metric_families(self.scrape())
        return {sample.name for family in families for sample in family.samples}


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    folder = tmp_path_factory.mktemp("telling")
    come_and_gone(folder / "tape.mp4")
    config: dict[str, Any] = {
        "streams": [
            {"name": "tape", "url": f"file:{folder / 'tape.mp4'}", "loop": True},
            {
                "name": "away",
                "url": f"rtsp://viewer:{SECRET}@127.0.0.1:1/main",
                "detect_url": f"rtsp://viewer:{SECRET}@127.0.0.1:1/sub",
            },
            {"name": "desk", "url": "whip:", "sessions": "many"},
        ],
        "mqtt": {"url": "embedded:"},
        "evidence": {"folder": str(folder / "evidence"), "clip_s": 2},
        "decision": {"threshold": 4, "min_blocks": 2, "refractory_s": 0, "learning": str(folder / "learnt")},
        "faces": {"reassociate_s": 0.5},
        "web": {"port": 0, "auth": "users", "metrics": "open"},
    }
    with Receiver() as receiver:
        config["notify"] = [{"name": "siem", "webhook": receiver.url, "secret": "0123456789abcdef"}]
        with RunningService(folder, config, options=["--log-format", "json"]) as service:
            with Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
                subscriber.wait_for("gend/alerts/tape", type="raised")
            telling = Telling(service, receiver)
            wait_until(lambda: "gend_crops_gated_total{" in telling.scrape())
            yield telling


def test_every_name_of_the_dashboard_is_exported(telling: Telling) -> None:
    board = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    asked = [variable["definition"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    named = names_in([*expressions, *asked])
    assert len(named) > 30
    assert named - telling.names() == set()


def test_every_name_of_the_alert_rules_is_exported(telling: Telling) -> None:
    (group,) = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())["groups"]
    named = names_in(rule["expr"] for rule in group["rules"])
    assert len(named) > 8
    assert named - telling.names() - DRIFT == set()


def test_the_page_of_metrics_names_what_is_exported_and_nothing_else(telling: Telling) -> None:
    page = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `(gend_[a-z0-9_]+)` \| (.*?) \| (.*?) \|", page, re.MULTILINE)
    told = {name: (labels, kind) for name, labels, kind in ((row[0], row[1], row[2]) for row in rows)}
    assert len(told) == len(rows), "a metric stands there twice"
    exported = documented(telling.scrape())
    assert {name: told.get(name) for name in exported} == exported
    assert told.keys() - exported.keys() <= DRIFT


def test_workers_tell_what_their_processes_take(telling: Telling) -> None:
    def cpu_s() -> dict[str, float]:
        families = text_string_to_metric_families(telling.scrape())
        return {
            sample.labels["stream"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == "gend_worker_cpu_seconds_total"
        }

    before = wait_until(lambda: cpu_s() if {"tape", "away"} <= cpu_s().keys() else None)
    wait_until(lambda: cpu_s()["tape"] > before["tape"])
    assert re.search(r'^gend_worker_memory_bytes\{stream="tape"\} [1-9]', telling.scrape(), re.MULTILINE)
    assert re.search(r"^process_resident_memory_bytes [1-9]", telling.scrape(), re.MULTILINE)


def test_what_waits_in_the_outbox_has_an_age_until_it_is_delivered(telling: Telling) -> None:
    def oldest_s() -> float:
        found = re.findall(r'^gend_outbox_oldest_seconds\{sink="[^"]*siem"\} (.*)$', telling.scrape(), re.MULTILINE)
        return float(found[0]) if found else 0.0

    wait_until(lambda: 'gend_notify_delivered_total{target="siem"}' in telling.scrape())
    telling.receiver.answer = lambda _: 500
    assert wait_until(oldest_s) > 0
    wait_until(lambda: re.search(r'^gend_notify_failing\{target="siem"\} 1', telling.scrape(), re.MULTILINE))
    telling.receiver.answer = lambda _: 200
    wait_until(lambda: oldest_s() == 0)


def test_the_log_is_json_on_every_line_and_ends_with_it(telling: Telling) -> None:
    telling.service.wait_for_log("away: connecting")
    code, _ = telling.service.terminate()
    assert code == 0, telling.service.log_text()
    lines = [json.loads(line) for line in telling.service.log]
    assert all(
        {"time", "level", "logger", "message"} <= line.keys() <= {"time", "level", "logger", "message", "stream"}
        for line in lines
    ), telling.service.log_text()
    # Of a stream's own process, of the thread beside it, and of the service.
    for stream, text in {"away": "away: connecting", "tape": "tape: alert raised"}.items():
        assert [line for line in lines if line.get("stream") == stream and line["message"].startswith(text)]
    assert SECRET not in telling.service.log_text()


def test_an_error_at_the_start_is_json_as_well(tmp_path: Path) -> None:
    config = {"streams": [{"name": "tape", "url": "file:nowhere.mp4", "nonsense": 1}], "mqtt": {"url": "embedded:"}}
    service = RunningService(tmp_path, config, options=["--log-format", "json"])
    with pytest.raises(AssertionError):
        service.start()
    assert service.process is not None
    assert service.process.wait(60) == 2
    (line,) = wait_until(lambda: [json.loads(line) for line in service.log])
    assert (line["level"], "nonsense" in line["message"]) == ("critical", True)


def come_and_gone(path: Path) -> None:
    """A manipulated face for four seconds, then it is too small to be scored: played in a loop, an alert each time."""
    near = path.with_suffix(".near.mp4")
    make_clip(near, seconds=4, manipulated_from_s=0, names=["astronaut"])
    with av.open(near) as source, av.open(path, "w") as out:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "superfast", "g": str(FPS)})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in [*pictures, *map(_far, pictures[: 3 * FPS])]:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


def _far(picture: NDArray[Any]) -> NDArray[Any]:
    far = np.full_like(picture, 90)
    small = picture[::3, ::3]
    far[: small.shape[0], : small.shape[1]] = small
    return far


def names_in(expressions: Iterable[str]) -> set[str]:
    return {name for expression in expressions for name in NAME.findall(expression)}


def documented(text: str) -> dict[str, tuple[str, str]]:
    """Labels and type of each metric of ours, by its name, as the page has them."""
    found: dict[str, tuple[str, str]] = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("gend_") and family.samples:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = sorted(family.samples[0].labels.keys() - {"le"})
            found[name] = ", ".join(f"`{label}`" for label in labels), family.type
    return found
