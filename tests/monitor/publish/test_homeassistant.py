from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from monitor.publish.homeassistant import discovery
from monitor.publish.topics import Topics
from tests.broker import Mosquitto, listening
from tests.monitor.publish.homeassistant_exchange import exchange, lines
from tests.monitor.publish.homeassistant_schema import DISCOVERY_TOPIC, SCHEMAS

DOCUMENTED = Path(__file__).parents[3] / "docs" / "notifications.md"


def valid(topic: str, payload: str, prefix: str = "homeassistant") -> dict[str, Any]:
    """What Home Assistant makes of a discovery message."""
    match = DISCOVERY_TOPIC.fullmatch(topic.removeprefix(f"{prefix}/"))
    assert match is not None, topic
    entity: dict[str, Any] = json.loads(payload)
    jsonschema.validate(entity, SCHEMAS[match["component"]])
    return entity


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


@pytest.mark.parametrize("prefix", ["gend", "site/gend", "site/büro 2"])
def test_discovery_is_valid_by_home_assistants_schema(prefix: str) -> None:
    for topic, payload in discovery("lobby-1_a", Topics(prefix), "homeassistant").items():
        valid(topic, payload)


@pytest.mark.parametrize(
    "fault",
    [
        {"unique_id": None},
        {"device": {"name": "no identifiers"}},
        {"origin": {"sw_version": "1"}},
        {"availability": [{"topic": "gend/status"}]},
        {"state_topic": "gend/+/alert"},
        {"payload_onn": "ON"},
        {"device_class": "deepfake"},
        {"entity_category": "config"},
    ],
)
def test_the_schema_refuses_what_home_assistant_refuses(fault: dict[str, Any]) -> None:
    topic, payload = next(iter(discovery("lobby", Topics("gend"), "homeassistant").items()))
    entity = {key: value for key, value in (json.loads(payload) | fault).items() if value is not None}
    with pytest.raises(jsonschema.ValidationError):
        valid(topic, json.dumps(entity))


@pytest.mark.anyio
async def test_home_assistant_finds_a_stream_and_follows_it_as_documented(broker: Mosquitto, tmp_path: Path) -> None:
    heard = await exchange(broker.config(), tmp_path)
    async with listening(broker.config(), "homeassistant/#") as late:
        await late.until(lambda inbox: len(inbox.messages) == 2)
    assert all(message.retain for message in late.messages)
    alert, stream = (valid(message.topic.value, late.on(message.topic.value)[0]) for message in late.messages)

    for entity in (alert, stream):
        assert heard.on(entity["availability_topic"]) == [entity["payload_available"], entity["payload_not_available"]]
    assert heard.on(alert["state_topic"]) == [alert["payload_off"], alert["payload_on"], alert["payload_off"]]
    assert [json.loads(payload)["verdict"] for payload in heard.on(alert["json_attributes_topic"])] == ["fake"]
    states = [json.loads(payload)["state"] for payload in heard.on(stream["state_topic"])]
    assert states == ["live"]
    assert set(states) <= set(stream["options"])

    recorded = DOCUMENTED.read_text().partition("<!-- exchange -->")[2].partition("<!-- end -->")[0]
    assert "\n".join(lines(heard)) in recorded
