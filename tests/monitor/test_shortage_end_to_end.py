"""An encoder that is too slow for the faces there are: told of everywhere while it lasts, a failure nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until

STARVED = "starved: crops of a face wait too long to be scored"


class Starving:
    """A running service with an engine whose speed is chosen."""

    def __init__(self, service: RunningService, subscriber: Subscriber, engine: Path) -> None:
        self.service = service
        self.subscriber = subscriber
        self._engine = engine

    def slow(self, slow: bool) -> None:
        new = self._engine.with_suffix(".new")
        new.write_text("slow" if slow else "")
        new.replace(self._engine)  # in one step: the engine looks whenever it likes

    def metric(self, name: str, **labels: str) -> float:
        text = httpx.get(f"{self.service.web_url}/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"gend_{name}" and labels.items() <= sample.labels.items()
        )

    def ready(self) -> tuple[int, list[str]]:
        answer = httpx.get(f"{self.service.web_url}/readyz")
        return answer.status_code, answer.json()["shortages"]

    def system(self) -> dict[str, Any]:
        health: dict[str, Any] = httpx.get(f"{self.service.web_url}/api/v1/system").json()["health"]
        return health

    def degraded(self) -> list[str]:
        found: dict[str, Any] = httpx.get(f"{self.service.web_url}/api/v1/streams/lobby").json()
        reasons: list[str] = found["status"]["degraded"]
        return reasons


@pytest.fixture(scope="module")
def starving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starving]:
    folder = tmp_path_factory.mktemp("starving")
    make_clip(folder / "faces.mp4", seconds=6, manipulated_from_s=100, names=["astronaut", "t1-1", "t1-2"])
    engine = folder / "engine"
    engine.write_text("")
    config = {
        "streams": [{"name": "lobby", "url": f"file:{folder / 'faces.mp4'}", "loop": True}],
        "mqtt": {"url": "embedded:"},
        "encoder": {"weights": "demo", "max_age_s": 1},
        "workers": {"isolation": "thread"},
    }
    command = (sys.executable, "-m", "tests.faults.faulty_engine", str(engine), "30")
    with (
        RunningService(folder, config, command=command) as service,
        Subscriber(service.mqtt_port, "gend/#") as subscriber,
    ):
        yield Starving(service, subscriber, engine)


def test_an_encoder_that_is_quick_enough_starves_nobody(starving: Starving) -> None:
    wait_until(lambda: starving.metric("crops_scored_total") > 5)
    wait_until(lambda: starving.metric("tracks_starved", stream="lobby") == 0)
    wait_until(lambda: starving.ready() == (200, []))
    wait_until(lambda: STARVED not in starving.degraded())
    scored = starving.metric("arrival_to_logit_seconds_count")
    assert scored >= 5
    assert starving.metric("arrival_to_logit_seconds_bucket", le="+Inf") >= scored
    assert starving.metric("arrival_to_encoder_seconds_count") >= scored
    assert starving.metric("encoder_busy_seconds_total") > 0


def test_an_encoder_that_is_too_slow_is_told_of_and_is_no_failure(starving: Starving) -> None:
    starving.slow(True)
    wait_until(lambda: starving.metric("tracks_starved", stream="lobby") > 0)
    event = starving.subscriber.wait_for("gend/events/lobby", kind="starvation")
    assert "waits for the encoder" in event["text"]
    code, (shortage,) = wait_until(lambda: next((said for said in [starving.ready()] if said[1]), None))
    assert (code, shortage.startswith("the encoder is too slow: crops of ")) == (200, True)
    wait_until(lambda: STARVED in starving.degraded())
    status: dict[str, Any] = {"degraded": []}
    while STARVED not in status["degraded"]:
        status = starving.subscriber.wait_for("gend/streams/lobby/status")
    assert status["state"] == "live"
    # Never silent lag: what is scored is at most as old as it may get, and what is not is counted.
    wait_until(lambda: starving.metric("crops_dropped_ratio") > 0)
    lost = sum(starving.metric("crops_dropped_total", cause=cause) for cause in ("replaced", "stale", "refused"))
    assert lost > 0
    assert starving.metric("arrival_to_encoder_seconds_bucket", le="5.0") >= 5
    beyond = starving.metric("arrival_to_encoder_seconds_bucket", le="+Inf")
    assert starving.metric("arrival_to_encoder_seconds_bucket", le="5.0") >= beyond  # nothing came late
    wait_until(lambda: starving.system()["shortages"])
    assert (starving.system()["ready"], starving.system()["encoder"]) == (True, "ok")


def test_an_encoder_that_is_quick_again_ends_it(starving: Starving) -> None:
    starving.slow(False)
    wait_until(lambda: starving.metric("tracks_starved", stream="lobby") == 0)
    wait_until(lambda: STARVED not in starving.degraded())
    assert starving.ready() == (200, [])
