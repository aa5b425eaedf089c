"""Makes MQTT clients from the configuration: address, identity, TLS, last will; and puts their errors into words."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import aiomqtt
from aiomqtt.exceptions import MqttCodeError, MqttConnectError

from monitor.errors import ConfigError
from monitor.mqtt_config import MqttConfig
from monitor.redact import redact

if TYPE_CHECKING:
    import paho.mqtt.client as paho

# paho tells each try's failure at length; we tell each change, once.
_library_log = logging.getLogger("monitor.publish.library")
_library_log.setLevel(logging.CRITICAL)

_ANSWER_S = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}
# paho tests a silent broker after one keepalive and gives it another one to answer. At three quarters of what was
# asked for, a half-open link is noticed within one and a half.
_KEEPALIVE_SHARE = 0.75


class _Client(aiomqtt.Client):
    """aiomqtt's client, for brokers that die at any moment.

    The library (2.5) keeps the end of a connection in a future that nobody may look at, which asyncio then logs with a
    traceback; forgets an end that comes together with the broker's acceptance; and watches a socket by its number one
    turn of the loop after it was asked to, when the number may be closed, or another's. There is no public way around.
    """

    def __init__(self, hostname: str, port: int, **options: Any) -> None:
        super().__init__(hostname, port, **options)
        self._disconnected.add_done_callback(_look_at)

    async def __aenter__(self) -> Self:
        ended = self._disconnected
        await super().__aenter__()
        if ended.done():
            raise aiomqtt.MqttError("connection lost")
        return self

    def _on_disconnect(self, *event: Any) -> None:
        if not self._connected.cancelled():  # else nobody waits for it any more
            super()._on_disconnect(*event)

    def _on_socket_register_write(self, client: paho.Client, _userdata: object, sock: paho.SocketLike) -> None:
        def watch() -> None:
            if sock is client.socket():
                self._loop.add_writer(sock, write)

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:  # noqa: BLE001 - as the library: whatever it is, the connection is broken
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        self._loop.call_soon_threadsafe(watch)


def _look_at(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()


class Broker:
    """Where the broker is and how to log in; makes a new client for each connection.

    Args:
        config: with a `url` of `mqtt:` or `mqtts:`.

    Attributes:
        name: how logs call it; carries no credentials.
        client_id: by which it knows us.

    Raises:
        ConfigError: a certificate cannot be read, or there are certificates without TLS.
    """

    def __init__(self, config: MqttConfig) -> None:
        parts = urlsplit(config.url)
        assert parts.hostname is not None  # MqttConfig has checked
        if parts.scheme == "mqtt" and (config.ca or config.cert):
            raise ConfigError("mqtt.url: mqtt.ca and mqtt.cert need mqtts://")
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._tls = _tls_context(config) if parts.scheme == "mqtts" else None
        self._config = config
        self.name = f"{parts.scheme}://{parts.netloc}"
        self.client_id = config.client_id or default_client_id(config.prefix)

    @contextlib.asynccontextmanager
    async def client(self, will: aiomqtt.Will | None) -> AsyncIterator[aiomqtt.Client]:
        """A client that is connected inside the context; `will` is what the broker says when the connection breaks.

        Raises:
            MqttError: the connection cannot be made, or fails.
        """
        client = self._new_client(will)
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(client)
            except (aiomqtt.MqttError, asyncio.CancelledError):
                await _hang_up(client)
                raise
            yield client

    def _new_client(self, will: aiomqtt.Will | None) -> aiomqtt.Client:
        password = self._config.password
        return _Client(
            self._host,
            self._port,
            username=self._config.username,
            password=password.get_secret_value() if password else None,
            identifier=self.client_id,
            will=will,
            keepalive=max(1, round(self._config.keepalive_s * _KEEPALIVE_SHARE)),
            timeout=_ANSWER_S,
            tls_context=self._tls,
            logger=_library_log,
        )

    def explain(self, error: Exception) -> str:
        """What went wrong with the connection, in one line without credentials."""
        cause = error.__cause__ or error
        if isinstance(cause, MqttConnectError):
            return f"refused: {cause.rc}; check mqtt.username and mqtt.password"
        if isinstance(cause, MqttCodeError):  # brokers of MQTT 3.1.1 give no reason
            return "connection lost: no sign of life" if "Keep alive" in str(cause) else "connection lost"
        if str(cause) == "Operation timed out":
            hint = "; does it ask for a certificate (mqtt.cert)?" if self._tls and not self._config.cert else ""
            return f"no answer within {_ANSWER_S:g} s{hint}"
        return redact(str(cause))


async def _hang_up(client: aiomqtt.Client) -> None:
    """Ends what a failed attempt has left: aiomqtt would keep the socket of a broker that says nothing, and a task."""
    client.timeout = 0  # the goodbye is sent and the socket closed; that it is answered is not to be hoped for
    with contextlib.suppress(aiomqtt.MqttError):
        await client.__aexit__(None, None, None)


def default_client_id(prefix: str) -> str:
    """An id that is ours alone and stays the same over restarts.

    The same, because then a broker that has not noticed the end of the former process replaces its connection, instead
    of publishing its last will in the middle of our life. 23 letters and digits at the most (MQTT 3.1.1, 3.1.3.1).
    """
    return "gend" + hashlib.sha256(f"{socket.gethostname()}/{prefix}".encode()).hexdigest()[:16]


def _tls_context(config: MqttConfig) -> ssl.SSLContext:
    for field, path in (("ca", config.ca), ("cert", config.cert), ("key", config.key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"mqtt.{field}: {path}: no such file")
    try:
        context = ssl.create_default_context(cafile=config.ca)
    except ssl.SSLError as error:
        raise ConfigError(f"mqtt.ca: {config.ca}: no PEM certificate: {error.reason}") from error
    if config.cert is not None:
        _load_pair(context, config.cert, config.key)
    return context


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    try:
        # Without a password given here, OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"mqtt.cert: {cert}: not a PEM certificate with mqtt.key as its unencrypted key") from error
