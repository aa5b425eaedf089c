"""Home Assistant finds the streams by itself: one device each, with the alert and the state of the stream.

Source: Home Assistant's documentation of MQTT discovery.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import get_args

from monitor.messages import StreamState
from monitor.publish.topics import Topics


def discovery(stream: str, topics: Topics, discovery_prefix: str) -> dict[str, str]:
    """Retained configuration messages of one stream.

    Args:
        stream: name of the stream.
        topics: where the service publishes.
        discovery_prefix: Home Assistant's own prefix.

    Returns:
        JSON by topic.
    """
    node = f"{re.sub(r'[^A-Za-z0-9_-]', '_', topics.prefix)}_{stream}"
    release = version("gend-monitor")
    shared = {
        "availability_topic": topics.service,
        "payload_available": "online",
        "payload_not_available": "offline",
        "device": {
            "identifiers": [node],
            "name": f"{topics.prefix} {stream}",
            "manufacturer": "gend-monitor",
            "model": "deepfake monitor",
            "sw_version": release,
        },
        "origin": {"name": "gend-monitor", "sw_version": release},
    }
    alert = {
        "name": "Deepfake alert",
        "unique_id": f"{node}_alert",
        # Not `safety`: that would show a stream without an alert as "Safe", which nobody can promise.
        "device_class": "problem",
        "state_topic": topics.stream_alert(stream),
        "payload_on": "ON",
        "payload_off": "OFF",
        # The last message of an episode: what is held of whom, and what must be said of it.
        "json_attributes_topic": topics.alerts(stream),
    }
    state = {
        "name": "Stream",
        "unique_id": f"{node}_stream",
        "device_class": "enum",
        "options": list(get_args(StreamState)),
        "entity_category": "diagnostic",
        "state_topic": topics.stream_status(stream),
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": topics.stream_status(stream),
    }
    return {
        f"{discovery_prefix}/binary_sensor/{node}/alert/config": _config(alert, shared),
        f"{discovery_prefix}/sensor/{node}/stream/config": _config(state, shared),
    }


def _config(entity: Mapping[str, object], shared: Mapping[str, object]) -> str:
    return json.dumps({**entity, **shared}, separators=(",", ":"))
