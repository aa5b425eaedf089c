from __future__ import annotations

import asyncio
import builtins
import logging
import socket
from typing import Any

import pytest

from monitor.errors import ConfigError
from monitor.mqtt_config import MqttConfig
from monitor.publish import EmbeddedBroker
from tests.broker import listening

pytestmark = pytest.mark.anyio


async def test_broker_listens_on_this_machine_only_and_ends_with_its_tasks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    before = asyncio.all_tasks()
    async with EmbeddedBroker() as broker:
        config = MqttConfig(url=broker.url)
        assert config.url.startswith("mqtt://127.0.0.1:")
        async with listening(config, "hello"):
            pass
        port = int(broker.url.rpartition(":")[2])
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), timeout=1)
    assert asyncio.all_tasks() == before
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    assert [record.message for record in caplog.records if record.name.startswith(("amqtt", "monitor"))] == []


async def test_two_brokers_do_not_collide() -> None:
    async with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.url != other.url


async def test_broker_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_amqtt(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("amqtt"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_amqtt)
    with pytest.raises(ConfigError, match=r'mqtt.url: "embedded:" needs amqtt: pip install "gend-monitor\[demo\]"'):
        async with EmbeddedBroker():
            pass
