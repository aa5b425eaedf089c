from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from monitor import payloads
from monitor.messages import Event, Status, Verdict
from tests.monitor.store.examples import an_alert

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"}
ALERT: dict[str, Any] = {
    "schema": {"const": 1},
    "id": TEXT,
    "alert_id": TEXT,
    "type": {"enum": ["raised", "updated", "cleared"]},
    "reason": TEXT,
    "stream": TEXT,
    "track": TEXT,
    "sequence": {"type": "integer", "minimum": 1},
    "at": TIME,
    "captured_at": TIME,
    "first_seen": TIME,
    "verdict": {"enum": ["inconclusive", "clear", "suspect", "fake"]},
    "evidence": NUMBER,
    "threshold": NUMBER,
    "samples": {"type": "integer"},
    "mean_probability": {"type": ["number", "null"]},
    "false_alarms_target_per_stream_day": NUMBER,
    "false_alarms_promised_per_stream_day": {"type": ["number", "null"]},
    "calibrated": {"type": "boolean"},
    "model": {
        "type": "object",
        "properties": {
            "weights": TEXT,
            "sha256": TEXT,
            "adapter": {"type": ["string", "null"]},
            "engine": TEXT,
            "precision": TEXT,
        },
        "required": ["weights", "sha256", "adapter", "engine", "precision"],
        "additionalProperties": False,
    },
    "notices": {"type": "array", "items": TEXT},
    "snapshot_url": {"type": ["string", "null"]},
    "snoozed_until": {"anyOf": [TIME, {"type": "null"}]},
    "call_of": {"type": ["string", "null"]},
}
ALERT_SCHEMA = {"type": "object", "properties": ALERT, "required": list(ALERT), "additionalProperties": False}


def test_alert_is_what_subscribers_were_promised() -> None:
    message = json.loads(payloads.alert(an_alert(sequence=3)))
    jsonschema.validate(message, ALERT_SCHEMA)
    assert message["at"] == "2026-01-31T12:00:05.250Z"
    assert message["notices"] == ["demo encoder: not for real use"]
    assert message["snoozed_until"] is None


def test_alert_has_null_for_what_is_unknown() -> None:
    unknown = an_alert(sequence=1, mean_probability=None, snapshot_url=None)
    message = json.loads(payloads.alert(unknown))
    jsonschema.validate(message, ALERT_SCHEMA)
    assert message["mean_probability"] is None
    assert message["false_alarms_promised_per_stream_day"] is None


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_payload_is_json_even_of_numbers_that_json_lacks(number: float) -> None:
    assert json.loads(payloads.alert(an_alert(evidence=number)))["evidence"] is None


def test_status_is_what_subscribers_were_promised() -> None:
    status = Status("lobby", "stalled", AT, ("face detector BlazeFace",), "no answer", 24.987, 2)
    assert json.loads(payloads.status(status)) == {
        "state": "stalled",
        "since": "2026-01-31T12:00:00.000Z",
        "degraded": ["face detector BlazeFace"],
        "reason": "no answer",
        "fps": 25.0,
        "faces": 2,
        "snoozed_until": None,
    }


def test_snooze_is_told_with_status_and_alert() -> None:
    status = json.loads(payloads.status(Status("lobby", "live", AT, snoozed_until=AT)))
    alert = json.loads(payloads.alert(an_alert(sequence=1, snoozed_until=AT)))
    jsonschema.validate(alert, ALERT_SCHEMA)
    assert status["snoozed_until"] == alert["snoozed_until"] == "2026-01-31T12:00:00.000Z"


def test_alert_state_is_on_or_off() -> None:
    assert [payloads.alert_state(on=on) for on in (True, False)] == ["ON", "OFF"]


def test_verdict_and_event_carry_the_time_of_day() -> None:
    verdict = Verdict("lobby", "1-7", 100.0, "inconclusive", 0.5, 16.0, 3, None, ("few crops",))
    assert json.loads(payloads.verdict(verdict, AT)) == {
        "stream": "lobby", "track": "1-7", "at": "2026-01-31T12:00:00.000Z", "state": "inconclusive",
        "evidence": 0.5, "threshold": 16.0, "samples": 3, "mean_probability": None, "reasons": ["few crops"],
        "ended": False,
    }  # fmt: skip
    event = Event("lobby", "starvation", 100.0, None, "the encoder is too slow")
    assert json.loads(payloads.event(event, AT)) == {
        "kind": "starvation", "stream": "lobby", "track": None, "at": "2026-01-31T12:00:00.000Z",
        "text": "the encoder is too slow",
    }  # fmt: skip


def test_rfc3339_turns_any_zone_into_utc() -> None:
    somewhere = datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert payloads.rfc3339(somewhere) == "2026-01-31T12:00:00.000Z"
