"""What Home Assistant accepts on its discovery topics, as JSON schemas.

Written down from its documentation (www.home-assistant.io/integrations: mqtt/#mqtt-discovery, binary_sensor.mqtt/ and
sensor.mqtt/) and from what its own checks refuse: a topic with other characters, an entity with two kinds of
availability, a device without identifiers, `options` of a sensor that is no `enum`. Home Assistant ignores keys it does
not know; here they are faults, for they would be misspellings.
"""

from __future__ import annotations

import re
from typing import Any

# <component>/<node>/<object>/config below the discovery prefix.
DISCOVERY_TOPIC = re.compile(r"(?P<component>\w+)/(?P<node>[a-zA-Z0-9_-]+)/(?P<object>[a-zA-Z0-9_-]+)/config")

_TEXT = {"type": "string", "minLength": 1}
_TOPIC = {"type": "string", "pattern": r"^[^+#\u0000]+$"}
_TEMPLATE = {"type": "string", "minLength": 1}
_SECONDS = {"type": "integer", "minimum": 0}

_DEVICE = {
    "type": "object",
    "additionalProperties": False,
    "anyOf": [{"required": ["identifiers"]}, {"required": ["connections"]}],
    "properties": {
        "configuration_url": {"type": "string", "format": "uri"},
        "connections": {"type": "array", "items": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2}},
        "hw_version": _TEXT,
        "identifiers": {"type": "array", "items": _TEXT, "minItems": 1},
        "manufacturer": _TEXT,
        "model": _TEXT,
        "model_id": _TEXT,
        "name": _TEXT,
        "serial_number": _TEXT,
        "suggested_area": _TEXT,
        "sw_version": _TEXT,
        "via_device": _TEXT,
    },
}
_ORIGIN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": _TEXT, "sw_version": _TEXT, "support_url": {"type": "string", "format": "uri"}},
}
_AVAILABILITY = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["topic"],
        "properties": {
            "topic": _TOPIC,
            "payload_available": _TEXT,
            "payload_not_available": _TEXT,
            "value_template": _TEMPLATE,
        },
    },
}
_ENTITY: dict[str, Any] = {
    "availability": _AVAILABILITY,
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "availability_template": _TEMPLATE,
    "availability_topic": _TOPIC,
    "default_entity_id": _TEXT,
    "device": _DEVICE,
    "enabled_by_default": {"type": "boolean"},
    "encoding": {"type": "string"},
    "entity_picture": _TEXT,
    "expire_after": _SECONDS,
    "force_update": {"type": "boolean"},
    "icon": {"type": "string", "pattern": "^[a-z]+:"},
    "json_attributes_template": _TEMPLATE,
    "json_attributes_topic": _TOPIC,
    "name": {"type": ["string", "null"], "minLength": 1},
    "origin": _ORIGIN,
    "payload_available": _TEXT,
    "payload_not_available": _TEXT,
    "qos": {"enum": [0, 1, 2]},
    "state_topic": _TOPIC,
    "unique_id": _TEXT,
    "value_template": _TEMPLATE,
    # Both kinds only report; `config` is for what can be set.
    "entity_category": {"enum": ["diagnostic"]},
}
# fmt: off
_BINARY_SENSOR_CLASSES = [
    "battery", "battery_charging", "carbon_monoxide", "cold", "connectivity", "door", "garage_door", "gas", "heat",
    "light", "lock", "moisture", "motion", "moving", "occupancy", "opening", "plug", "power", "presence", "problem",
    "running", "safety", "smoke", "sound", "tamper", "update", "vibration", "window",
]
# fmt: on


def _schema(own: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        # A device needs a unique id, and its entities a name of their own; of a single entity the origin is optional
        # to Home Assistant, and asked for of whoever writes to its topics.
        "required": ["state_topic", "unique_id", "device", "origin"],
        "not": {"required": ["availability", "availability_topic"]},
        "properties": _ENTITY | own,
    }


SCHEMAS: dict[str, dict[str, Any]] = {
    "binary_sensor": _schema(
        {
            "device_class": {"enum": _BINARY_SENSOR_CLASSES},
            "off_delay": _SECONDS,
            "payload_off": _TEXT,
            "payload_on": _TEXT,
        }
    ),
    "sensor": _schema(
        {
            "device_class": _TEXT,
            "last_reset_value_template": _TEMPLATE,
            "options": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
            "state_class": {"enum": ["measurement", "total", "total_increasing"]},
            "suggested_display_precision": _SECONDS,
            "unit_of_measurement": _TEXT,
        }
    )
    | {
        "dependentSchemas": {
            "options": {
                "required": ["device_class"],
                "properties": {"device_class": {"const": "enum"}, "state_class": False, "unit_of_measurement": False},
            }
        }
    },
}
"""By component."""
