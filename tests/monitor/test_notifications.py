"""The service with a webhook: from a face in a stream to a signed request, over a crash and to an orderly end."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from monitor.demo.clip import make_clip
from monitor.notify.webhook import signature
from tests.monitor.service import RunningService
from tests.monitor.test_stopping import PROMISED_S
from tests.waiting import wait_until
from tests.webhook_receiver import HANG, Receiver

SECRET = "correct horse battery"


def get(url: str) -> str:
    text: str = urllib.request.urlopen(url).read().decode()
    return text


@pytest.mark.long
def test_an_alert_reaches_a_webhook_although_the_service_was_killed_before(tmp_path: Path) -> None:
    clip = tmp_path / "call.mp4"
    make_clip(clip, seconds=12, manipulated_from_s=0, names=("astronaut",))
    with Receiver() as receiver:
        targets = [
            {"name": "siem", "webhook": receiver.url, "secret": SECRET, "types": ["raised", "cleared"]},
            {"name": "elsewhere", "url": f"json://user:s3cretpass@127.0.0.1:{receiver.port}/push", "streams": ["gate"]},
        ]
        config = {
            "streams": [
                {"name": "lobby", "url": f"file:{clip}", "loop": True},
                {"name": "gate", "url": f"file:{tmp_path / 'none.mp4'}"},
            ],
            "mqtt": {"url": "embedded:"},
            "decision": {"threshold": 3, "min_blocks": 2},
            "notify": targets,
        }
        receiver.answer = lambda _: 500
        with RunningService(tmp_path, config) as service:
            tried = wait_until(lambda: receiver.requests)[0]
            ready = json.loads(get(f"{service.web_url}/readyz"))
            waiting = get(f"{service.web_url}/metrics")
            service.kill()

            receiver.answer = lambda _: 200
            service.start()
            raised, cleared = wait_until(lambda: receiver.taken[1:] and receiver.taken)[:2]
            receiver.answer = lambda _: HANG
            metrics = get(f"{service.web_url}/metrics")
            code, took_s = service.terminate()
            log = service.log_text()

    assert ready["ready"] is True
    assert ready["notify"] == {"siem": "answered 500 Internal Server Error", "elsewhere": "ok"}
    assert 'gend_outbox_waiting{sink="notify:siem"} 1.0' in waiting
    assert 'gend_notify_delivered_total{target="siem"} 0.0' in waiting
    assert raised.body == tried.body
    for request in (raised, cleared):
        timestamp = request.headers["X-GenD-Timestamp"]
        assert request.headers["X-GenD-Signature"] == signature(SECRET.encode(), timestamp, request.body)
    assert (raised.json()["type"], raised.json()["stream"], raised.json()["sequence"]) == ("raised", "lobby", 1)
    assert cleared.json()["alert_id"] == raised.json()["alert_id"]
    assert (cleared.json()["type"], cleared.json()["reason"]) == ("cleared", "restarted")
    assert 'gend_notify_failures_total{target="siem"}' in metrics
    assert (code, took_s < PROMISED_S) == (0, True)
    assert SECRET not in log
    assert "s3cretpass" not in log
