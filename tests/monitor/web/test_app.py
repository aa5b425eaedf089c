from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.errors import MonitorError
from monitor.metrics import Sample, sample_registry
from monitor.web import Health, WebServer, create_app
from monitor.web_config import WebConfig

HEALTHY = Health(ready=True, encoder="ok", store="ok", mqtt="connected", streams={"lobby": "live"})


def client(health: Health = HEALTHY, **config: str) -> httpx.AsyncClient:
    registry = sample_registry(
        lambda: [Sample("frames", "Frames.", "counter", 3, (("stream", "a"),)), Sample("faces", "Faces.", "gauge", 2)]
    )
    app = create_app(WebConfig.model_validate(config), lambda: health, registry)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080")


@pytest.mark.anyio
async def test_readyz_tells_what_is_not_ready() -> None:
    async with client() as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).json()["streams"] == {"lobby": "live"}
    broken = Health(ready=False, encoder="out of memory", store="ok", mqtt="connected", streams={})
    async with client(broken) as http:
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["encoder"] == "out of memory"


@pytest.mark.anyio
async def test_metrics_are_what_prometheus_reads() -> None:
    async with client() as http:
        families = list(text_string_to_metric_families((await http.get("/metrics")).text))
    samples = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    ours = {name: sample for name, sample in samples.items() if name.startswith("gend_")}
    assert samples.keys() - ours.keys() >= {"process_cpu_seconds_total", "process_resident_memory_bytes"}
    assert ours == {"gend_frames_total": ({"stream": "a"}, 3.0), "gend_faces": ({}, 2.0)}


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1"])
async def test_foreign_hosts_are_refused(host: str) -> None:
    async with client() as http:
        assert (await http.get("/healthz", headers={"Host": host})).status_code == 421


@pytest.mark.anyio
async def test_public_url_is_answered() -> None:
    async with client(public_url="https://monitor.example/gend") as http:
        assert (await http.get("/healthz", headers={"Host": "monitor.example"})).status_code == 200


@pytest.mark.anyio
async def test_writes_from_other_origins_are_refused() -> None:
    async with client() as http:
        foreign = await http.post("/healthz", headers={"Origin": "http://evil.example"})
        own = await http.post("/healthz", headers={"Origin": "http://127.0.0.1:8080"})
    assert foreign.status_code == 403
    assert own.status_code == 405


def test_a_port_in_use_is_one_clear_line() -> None:
    first = WebServer(WebConfig(port=0))
    try:
        with pytest.raises(MonitorError, match=rf"web.port: cannot listen on 127.0.0.1:{first.port}: "):
            WebServer(WebConfig(port=first.port))
    finally:
        first.stop()
