"""A broker inside the process, for the demo and for `mqtt.url: "embedded:"`: amqtt on a free port of this machine.

For trying things out. It keeps nothing on disk and nothing for absent subscribers, and it sends a new client retained
messages that match the filters of *other* clients: look at the topic of each message received.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from monitor.errors import ConfigError, MonitorError
from monitor.mqtt_config import MqttConfig

if TYPE_CHECKING:
    from amqtt.broker import Broker

_HOST = "127.0.0.1"


class EmbeddedBroker:
    """An anonymous broker that only this machine reaches; `async with` starts and stops it."""

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, as `mqtt://127.0.0.1:PORT`."""
        return f"mqtt://{_HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        """Starts it.

        Raises:
            ConfigError: amqtt is not installed.
            MonitorError: it cannot listen.
        """
        try:
            from amqtt.broker import Broker  # noqa: PLC0415 - an extra
            from amqtt.errors import BrokerError  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigError('mqtt.url: "embedded:" needs amqtt: pip install "gend-monitor[demo]"') from error
        # It warns of everyday things, such as a client that goes away.
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        self._port = _free_port()
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{_HOST}:{self._port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        try:
            await self._broker.start()
        except BrokerError as error:
            raise MonitorError(f"the embedded broker cannot start: {error}") from error
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Stops it; clients are disconnected."""
        assert self._broker is not None
        await self._broker.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.asynccontextmanager
async def broker_of(config: MqttConfig) -> AsyncIterator[MqttConfig]:
    """The configuration with the address of a broker that runs, which may be one inside this process.

    Raises:
        ConfigError: amqtt is asked for and not installed.
        MonitorError: it cannot listen.
    """
    if config.url != "embedded:":
        yield config
        return
    async with EmbeddedBroker() as broker:
        yield config.model_copy(update={"url": broker.url})
