"""Publishing to the service as it runs: HTTP in one process, the connection in the worker's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.monitor.service import RunningService
from tests.processes import descendants
from tests.waiting import wait_until
from tests.webrtc_client import SDP, Publisher

TOKEN = "a token for the test"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {
        "streams": [{"name": "call", "url": "whip:", "token": "${CALL_TOKEN}"}],
        "mqtt": {"url": "embedded:"},
        "workers": {"isolation": "process"},
        "evidence": {"folder": str(tmp_path_factory.mktemp("evidence"))},
    }
    environment = {"CALL_TOKEN": TOKEN}
    with RunningService(tmp_path_factory.mktemp("service"), config, environment=environment) as running:
        wait_until(lambda: _state(running) == "connecting")
        yield running


def _state(service: RunningService) -> str:
    return str(httpx.get(f"{service.web_url}/readyz").json()["streams"]["call"])


def _figure(service: RunningService, name: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"{service.web_url}/metrics").text)
    return next((sample.value for family in families for sample in family.samples if sample.name == name), 0.0)


def _post(service: RunningService, publisher: Publisher) -> httpx.Response:
    """As soon as the worker's process is there."""
    wait_until(
        lambda: (
            (_probe := httpx.post(f"{service.web_url}/whip/call", content="x", headers=_AUTHORISED)).status_code == 400
        )
    )
    return publisher.publish(f"{service.web_url}/whip/call", token=TOKEN)


_AUTHORISED = {**SDP, "Authorization": f"Bearer {TOKEN}"}


def _workers() -> list[psutil.Process]:
    return descendants(os.getpid(), "gend-call")


def test_publish_watch_and_leave(service: RunningService) -> None:
    with Publisher("H264", audio=True) as publisher, Publisher() as second:
        assert second.publish(f"{service.web_url}/whip/call").status_code == 401
        assert _post(service, publisher).status_code == 201
        wait_until(lambda: _state(service) == "live")
        wait_until(lambda: _figure(service, "gend_frames_total") > 30)
        assert second.publish(f"{service.web_url}/whip/call", token=TOKEN).status_code == 409
        assert publisher.session is not None
        assert httpx.delete(publisher.session).status_code == 401
        assert httpx.delete(publisher.session, headers=_AUTHORISED).status_code == 200
        wait_until(lambda: _state(service) == "connecting")
    assert TOKEN not in service.log_text()


def test_a_closed_tab_is_stalled_and_a_new_one_goes_on(service: RunningService) -> None:
    with Publisher() as publisher, Publisher() as next_one:
        assert _post(service, publisher).status_code == 201
        wait_until(lambda: _state(service) == "live")
        publisher.deaf_and_dumb = True
        wait_until(lambda: _state(service) == "stalled")
        assert _post(service, next_one).status_code == 201
        wait_until(lambda: _state(service) == "live")


def test_a_worker_that_dies_is_replaced_and_takes_publishers_again(service: RunningService) -> None:
    with Publisher() as publisher, Publisher() as next_one:
        assert _post(service, publisher).status_code == 201
        wait_until(lambda: _state(service) == "live")
        (worker,) = _workers()
        worker.kill()
        wait_until(lambda: _state(service) == "connecting")
        wait_until(lambda: [each for each in _workers() if each.pid != worker.pid])
        assert _post(service, next_one).status_code == 201
        wait_until(lambda: _state(service) == "live")
    code, took_s = service.terminate()
    assert code == 0
    assert took_s < 15
    assert "Traceback" not in service.log_text()
