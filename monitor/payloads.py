"""The JSON that subscribers read. A contract: fields may be added, none is renamed or removed within a `schema`.

Spelled out field by field, so that renaming an attribute in `messages.py` cannot change what goes over the wire.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from monitor.messages import Alert, Event, Status, Verdict


def alert(message: Alert) -> str:
    """An alert, `schema: 1`."""
    return _json(
        {
            "schema": message.schema,
            "id": message.id,
            "alert_id": message.alert_id,
            "type": message.type,
            "reason": message.reason,
            "stream": message.stream,
            "track": message.track,
            "sequence": message.sequence,
            "at": rfc3339(message.at),
            "captured_at": rfc3339(message.captured_at),
            "first_seen": rfc3339(message.first_seen),
            "verdict": message.verdict,
            "evidence": _finite(message.evidence),
            "threshold": _finite(message.threshold),
            "samples": message.samples,
            "mean_probability": _finite(message.mean_probability),
            "false_alarms_target_per_stream_day": _finite(message.false_alarms_target_per_stream_day),
            "false_alarms_promised_per_stream_day": _finite(message.false_alarms_promised_per_stream_day),
            "calibrated": message.calibrated,
            "model": {
                "weights": message.model.weights,
                "sha256": message.model.sha256,
                "adapter": message.model.adapter,
                "engine": message.model.engine,
                "precision": message.model.precision,
            },
            "notices": list(message.notices),
            "snapshot_url": message.snapshot_url,
            "snoozed_until": _moment(message.snoozed_until),
            "call_of": message.call_of,
        }
    )


def status(message: Status) -> str:
    """The state of a stream."""
    return _json(_status(message))


def stream_status(message: Status) -> str:
    """The same with the stream's name, for where no topic tells it."""
    return _json({"stream": message.stream, **_status(message)})


def alert_state(*, on: bool) -> str:
    """Whether an alert episode of a stream is open."""
    return "ON" if on else "OFF"


def verdict(message: Verdict, at: datetime) -> str:
    """What is held of a track.

    Args:
        message: the verdict.
        at: the time of day of its `at_s`.
    """
    return _json(
        {
            "stream": message.stream,
            "track": message.track,
            "at": rfc3339(at),
            "state": message.state,
            "evidence": _finite(message.evidence),
            "threshold": _finite(message.threshold),
            "samples": message.samples,
            "mean_probability": _finite(message.mean_probability),
            "reasons": list(message.reasons),
            "ended": message.ended,
        }
    )


def event(message: Event, at: datetime) -> str:
    """Something worth knowing that is no alert.

    Args:
        message: the event.
        at: the time of day of its `at_s`.
    """
    return _json(
        {
            "kind": message.kind,
            "stream": message.stream,
            "track": message.track,
            "at": rfc3339(at),
            "text": message.text,
        }
    )


def _status(message: Status) -> dict[str, object]:
    return {
        "state": message.state,
        "since": rfc3339(message.since),
        "degraded": list(message.degraded),
        "reason": message.reason,
        "fps": round(message.fps, 1),
        "faces": message.faces,
        "snoozed_until": _moment(message.snoozed_until),
    }


def rfc3339(moment: datetime) -> str:
    """An aware time as UTC with milliseconds, such as `2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _json(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
