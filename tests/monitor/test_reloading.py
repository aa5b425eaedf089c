"""The configuration changes while the service runs: what has changed begins anew, all else goes on."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import MonitorConfig
from monitor.demo.clip import make_clip
from monitor.errors import StoreError
from monitor.messages import Status
from monitor.parts import load_parts
from monitor.pipeline import Output, Pipeline
from monitor.reloading import Reloader, in_words
from tests.logs import told
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "call.mp4"
    make_clip(path, seconds=9, manipulated_from_s=0, names=["astronaut"])
    return path


@pytest.fixture(scope="module")
def service(call: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {
        "streams": [stream("lobby", call), stream("gate", call)],
        "mqtt": {"url": "embedded:"},
        "decision": {"threshold": 1000, "min_blocks": 4},
    }
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


def stream(name: str, clip: Path, **fields: Any) -> dict[str, Any]:
    return {"name": name, "url": f"file:{clip}", "loop": True, **fields}


def edit(service: RunningService, **sections: Any) -> None:
    """As an editor does: a new file takes the place of the old one."""
    after = service.path.with_suffix(".new")
    after.write_text(yaml.safe_dump(yaml.safe_load(service.path.read_text()) | sections))
    after.replace(service.path)


def states(service: RunningService) -> dict[str, str]:
    with urllib.request.urlopen(f"{service.web_url}/readyz") as answer:
        streams: dict[str, str] = json.load(answer)["streams"]
    return streams


def frames(service: RunningService, name: str) -> float:
    with urllib.request.urlopen(f"{service.web_url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f'gend_frames_total{{stream="{name}"}}'))


def test_streams_come_go_and_change_and_the_others_go_on(service: RunningService, call: Path) -> None:
    with Subscriber(service.mqtt_port, "gend/#") as subscriber:
        wait_until(lambda: states(service) == {"lobby": "live", "gate": "live"})
        before = wait_until(lambda: frames(service, "lobby"))
        edit(service, streams=[stream("lobby", call), stream("porch", call)])
        service.wait_for_log("the configuration is taken over: begun anew: porch; ended: gate")
        wait_until(lambda: states(service) == {"lobby": "live", "porch": "live"})
        subscriber.heard("gend/streams/gate/status", state="stopped", reason="no longer configured")
        assert frames(service, "lobby") >= before  # counts of a stream that begins anew begin at 0
        assert "lobby: stopped" not in service.log_text()


def test_what_decides_changes_for_all_streams(service: RunningService) -> None:
    with Subscriber(service.mqtt_port, "gend/#") as subscriber:
        edit(service, decision={"threshold": 6, "min_blocks": 4})
        alert = subscriber.heard("gend/alerts/lobby", type="raised")
        assert alert["threshold"] == 6
        # And what stood under the old rule is cleared under the new one.
        edit(service, decision={"threshold": 1000, "min_blocks": 4})
        subscriber.heard("gend/alerts/lobby", type="cleared", reason="configuration changed")


def test_a_faulty_file_changes_nothing_and_says_why(service: RunningService, call: Path) -> None:
    watched = states(service)
    edit(service, streams=[stream("lobby", call, stall_s="soon"), stream("Porch!", call)])
    service.wait_for_log(f"the configuration is not taken over: {service.path}: streams.lobby.stall_s: ")
    service.wait_for_log(f"the configuration is not taken over: {service.path}: streams.Porch!.name: ")
    assert states(service).keys() == watched.keys()


def test_what_waits_for_a_restart_is_named(service: RunningService, call: Path) -> None:
    edit(service, streams=[stream("lobby", call)], web={"port": 1, "public_url": "https://monitor.example"})
    service.wait_for_log("ended: porch; waits for a restart: web.port, web.public_url")


class _Elsewhere:
    """A service whose store is away."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def prepare(self, config: MonitorConfig) -> None:
        pass

    async def begin_streams(self, streams: Iterable[str]) -> None:
        raise StoreError(f"alerts.db: cannot be read; nothing is known of {', '.join(streams)}")

    async def end_calls(self, streams: Collection[str]) -> None:
        pass

    def end_streams(self, streams: Iterable[str]) -> None:
        self.ended += streams


@pytest.mark.anyio
async def test_streams_begin_anew_though_the_store_is_away(call: Path, caplog: pytest.LogCaptureFixture) -> None:
    def config(*streams: dict[str, Any]) -> MonitorConfig:
        return MonitorConfig.model_validate({"streams": streams, "encoder": {"weights": "demo"}})

    outputs: list[Output] = []
    before = config(stream("lobby", call), stream("gate", call))
    parts = await asyncio.to_thread(load_parts, before)
    pipeline, elsewhere = Pipeline(before, parts, run_id="1"), _Elsewhere()
    running = asyncio.create_task(pipeline.run(outputs.append))
    try:
        reloader = Reloader(before, parts, pipeline, elsewhere)
        done = await reloader.take_over(config(stream("lobby", call, stall_s=7), stream("porch", call)))
        assert in_words(done) == "begun anew: lobby, porch; ended: gate"
        assert elsewhere.ended == ["gate"]
        assert any("cannot be read; nothing is known of lobby, porch" in line for line in told(caplog))
        async with asyncio.timeout(30):
            while set(pipeline.watching()) != {"lobby", "porch"}:
                await asyncio.sleep(0.02)
        said = [status.state for status in outputs if isinstance(status, Status) and status.stream == "gate"]
        assert said[-1:] in ([], ["stopped"])  # a busy machine may not have come to say anything of it
    finally:
        running.cancel()
        await pipeline.stop(outputs.append, 5)
