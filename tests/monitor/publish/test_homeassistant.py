from __future__ import annotations

import json

from monitor.publish.homeassistant import discovery
from monitor.publish.topics import Topics


def test_discovery_describes_alert_and_stream_of_one_device() -> None:
    found = {
        topic: json.loads(payload) for topic, payload in discovery("lobby", Topics("gend"), "homeassistant").items()
    }
    assert list(found) == [
        "homeassistant/binary_sensor/gend_lobby/alert/config",
        "homeassistant/sensor/gend_lobby/stream/config",
    ]
    alert, stream = found.values()
    assert alert["state_topic"] == "gend/streams/lobby/alert"
    assert (alert["payload_on"], alert["payload_off"]) == ("ON", "OFF")
    assert alert["device_class"] == "problem"
    assert stream["state_topic"] == "gend/streams/lobby/status"
    assert stream["options"] == ["connecting", "live", "stalled", "stopped"]
    assert alert["unique_id"] != stream["unique_id"]
    for entity in (alert, stream):
        assert entity["availability_topic"] == "gend/status"
        assert (entity["payload_available"], entity["payload_not_available"]) == ("online", "offline")
        assert entity["device"]["identifiers"] == ["gend_lobby"]


def test_discovery_ids_are_stable_and_differ_between_streams_and_prefixes() -> None:
    def unique_ids(stream: str, prefix: str) -> set[str]:
        return {json.loads(payload)["unique_id"] for payload in discovery(stream, Topics(prefix), "ha").values()}

    assert unique_ids("a", "gend") == unique_ids("a", "gend")
    assert len(unique_ids("a", "gend") | unique_ids("b", "gend") | unique_ids("a", "site/gend")) == 6


def test_discovery_topics_hold_no_character_that_home_assistant_refuses() -> None:
    for topic in discovery("a", Topics("site/büro"), "homeassistant"):
        assert topic.split("/")[2] == "site_b_ro_a"
