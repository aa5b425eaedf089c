"""Tries what is configured of the broker, beside a service that may be using it."""

from __future__ import annotations

import asyncio
import os

import aiomqtt

from monitor.errors import MonitorError
from monitor.mqtt_config import MqttConfig
from monitor.publish.client import Broker


def check_certificates(config: MqttConfig) -> None:
    """Refuses certificates that cannot be used, before anything is started. Raises ConfigError."""
    if config.url != "embedded:":
        Broker(config)


async def try_broker(config: MqttConfig, timeout_s: float) -> None:
    """Connects and logs in, under an id of its own so that nobody's connection is taken over, and leaves again.

    Args:
        config: the broker, not `embedded:`.
        timeout_s: seconds given to it.

    Raises:
        ConfigError: a certificate cannot be used.
        MonitorError: why the broker cannot be used, in one line.
    """
    broker = Broker(config.model_copy(update={"client_id": f"gend-check-{os.getpid()}"}))
    try:
        async with asyncio.timeout(timeout_s), broker.client(will=None):
            return
    except TimeoutError as error:
        raise MonitorError(f"{broker.name}: no answer within {timeout_s:g} s") from error
    except aiomqtt.MqttError as error:
        raise MonitorError(f"{broker.name}: {broker.explain(error)}") from error
