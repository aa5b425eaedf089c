"""A real Mosquitto for tests, in a child process that can be killed or frozen, and an independent subscriber.

    with Mosquitto(tmp_path) as broker:
        async with listening(broker.config(), "gend/#") as inbox:
            payload = await inbox.next("gend/alerts/lobby")

Tests that ask for it are skipped where Mosquitto is absent.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiomqtt
import pytest

from monitor.mqtt_config import MqttConfig
from tests.ports import HOST, free_port

START_S = 10.0
MESSAGE_S = 15.0


def _program(name: str) -> str:
    """Path of an installed program, also where `sbin` is not on the path; skips the test without it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@dataclass(frozen=True)
class Certificates:
    """An authority, the server it vouches for (127.0.0.1), and a client it vouches for."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Fresh ones by the `openssl` program, valid for a day; skips the test without it."""
    openssl = _program("openssl")
    folder.mkdir(parents=True, exist_ok=True)

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True, timeout=30)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *curve, "-days", "1", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name, subject, extension in (
        ("server", "/CN=broker", f"subjectAltName=IP:{HOST}"),
        ("client", "/CN=monitor", "extendedKeyUsage=clientAuth"),
    ):
        (folder / f"{name}.ext").write_text(extension)
        run("req", *curve, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "1", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip
    return Certificates(*(folder / name for name in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")))


class Mosquitto:
    """A broker on a free loopback port, the same over restarts.

    Args:
        folder: for its configuration and log.
        username: with `password`, what clients must present.
        password: see `username`.
        certificates: listen with TLS, and ask clients for a certificate of the same authority.
        remembers: keep retained messages and durable sessions over restarts and `kill`.
        at_once: with `remembers`: write every change, which is slow; else only what there is at a `stop`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        username: str | None = None,
        password: str | None = None,
        certificates: Certificates | None = None,
        remembers: bool = False,
        at_once: bool = True,
    ) -> None:
        self._program = _program("mosquitto")
        self.port = free_port()
        self._folder = folder / f"mosquitto-{self.port}"
        self._folder.mkdir(parents=True)
        self._username, self._password, self._certificates = username, password, certificates
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration(remembers=remembers, at_once=at_once)

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._certificates else 'mqtt'}://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def config(self, **fields: Any) -> MqttConfig:
        """Configuration of a client that this broker accepts, but for what `fields` say."""
        accepted: dict[str, Any] = {"url": self.url, "username": self._username, "password": self._password}
        if self._certificates:
            accepted |= {
                "ca": self._certificates.ca,
                "cert": self._certificates.client,
                "key": self._certificates.client_key,
            }
        return MqttConfig.model_validate(accepted | fields)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        assert self._process is None, "it runs already"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", self._folder / "conf"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto does not start:\n{self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it in an orderly way, also when frozen."""
        self.resume()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freezes it: connections stay, answers do not come."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undoes `pause`."""
        self._signal(signal.SIGCONT)

    def forget(self) -> None:
        """Loses all that it remembers, while it does not run."""
        assert self._process is None, "it would write it again"
        (self._folder / "mosquitto.db").unlink(missing_ok=True)

    def set_password(self, password: str) -> None:
        """Restarts it with another password."""
        self.stop()
        self._password = password
        self._write_passwords()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=10)
            self._process = None

    def _write_configuration(self, *, remembers: bool, at_once: bool) -> None:
        lines = [
            f"listener {self.port} {HOST}",
            f"user {getpass.getuser()}",  # a root's Mosquitto would give up the right to read our folder
            "log_type all",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            f"allow_anonymous {'false' if self._username else 'true'}",
        ]
        if remembers:
            lines += ["persistence true", f"persistence_location {self._folder}/"]
            lines += ["autosave_on_changes true", f"autosave_interval {1 if at_once else 0}"]
        if self._username:
            self._write_passwords()
            lines.append(f"password_file {self._folder / 'passwords'}")
        if self._certificates:
            lines += [
                f"cafile {self._certificates.ca}",
                f"certfile {self._certificates.server}",
                f"keyfile {self._certificates.server_key}",
                "require_certificate true",
            ]
        (self._folder / "conf").write_text("\n".join(lines) + "\n")

    def _write_passwords(self) -> None:
        command = [_program("mosquitto_passwd"), "-b", "-c", str(self._folder / "passwords")]
        subprocess.run([*command, self._username or "", self._password or ""], check=True)


class Inbox:
    """What an independent subscriber has received."""

    def __init__(self) -> None:
        self.messages: list[aiomqtt.Message] = []
        self._arrived = asyncio.Condition()

    def on(self, topic: str) -> list[str]:
        """Payloads received on a topic, or on all that match a filter, in order."""
        return [_text(message) for message in self.messages if message.topic.matches(topic)]

    async def until(self, condition: Callable[[Inbox], object], timeout_s: float = MESSAGE_S) -> None:
        """Waits until the condition holds; fails the test with what was received instead."""
        try:
            async with asyncio.timeout(timeout_s), self._arrived:
                await self._arrived.wait_for(lambda: bool(condition(self)))
        except TimeoutError:
            received = "\n".join(f"{message.topic} {_text(message)}" for message in self.messages)
            raise AssertionError(f"not received in {timeout_s} s; received:\n{received}") from None

    async def next(self, topic: str) -> str:
        """The first payload on the topic that arrives from now on."""
        before = len(self.on(topic))
        await self.until(lambda inbox: len(inbox.on(topic)) > before)
        return self.on(topic)[before]

    async def put(self, message: aiomqtt.Message) -> None:
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()


@contextlib.asynccontextmanager
async def listening(config: MqttConfig, topic: str = "#", *, session: str | None = None) -> AsyncIterator[Inbox]:
    """Subscribes with QoS 1 under an id of its own.

    Args:
        config: where the broker is and how to log in.
        topic: filter.
        session: name of a durable session: what arrives while nobody listens is received by the next who does.
    """
    host, port = config.url.partition("://")[2].split(":")
    tls = None
    if config.url.startswith("mqtts"):
        tls = ssl.create_default_context(cafile=config.ca)
        if config.cert:
            tls.load_cert_chain(config.cert, config.key)
    password = config.password.get_secret_value() if config.password else None
    inbox = Inbox()
    client = aiomqtt.Client(
        host,
        int(port),
        username=config.username,
        password=password,
        tls_context=tls,
        identifier=session,
        clean_session=session is None,
    )
    async with client:
        await client.subscribe(topic, qos=1)
        receiving = asyncio.create_task(_receive(client, inbox))
        try:
            yield inbox
        finally:
            receiving.cancel()
            # Where the test has killed the broker, that has ended the subscription already.
            await asyncio.gather(receiving, return_exceptions=True)


async def _receive(client: aiomqtt.Client, inbox: Inbox) -> None:
    async for message in client.messages:
        await inbox.put(message)


def _text(message: aiomqtt.Message) -> str:
    assert isinstance(message.payload, bytes)
    return message.payload.decode()
