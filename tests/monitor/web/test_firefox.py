"""What people see and do in Firefox: a call shared by its page, and the board."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.firefox import Firefox, installed
from tests.monitor.service import RunningService
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(installed() is None, reason="firefox is not installed")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {"streams": [{"name": "call", "url": "whip:"}], "mqtt": {"url": "embedded:"}}
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


def stream(service: RunningService) -> dict[str, Any]:
    with urllib.request.urlopen(f"{service.web_url}/api/v1/streams/call") as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def test_a_call_is_shared_and_looked_at(service: RunningService, tmp_path: Path) -> None:
    with Firefox(tmp_path) as firefox:
        firefox.open(f"{service.web_url}/call/call")
        firefox.ask("document.getElementById('consent').click()")
        firefox.ask("document.getElementById('camera').click()")
        wait_until(lambda: firefox.ask("document.getElementById('state').textContent").startswith("Watching"))
        wait_until(lambda: stream(service)["figures"]["values"]["analysed_frames"] > 5)
        assert stream(service)["status"]["state"] == "live"
        firefox.ask("document.getElementById('stop').click()")
        wait_until(lambda: stream(service)["status"]["state"] == "connecting")
        firefox.open(service.web_url)
        wait_until(lambda: firefox.ask("document.querySelectorAll('.tile').length") == 1)
        assert "no publisher" in firefox.ask("document.querySelector('.tile').textContent")
        assert firefox.complaints == []
