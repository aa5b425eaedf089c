"""The service as a user runs it: `gend-monitor run` in a process of its own, and a subscriber that is not ours."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

READY_S = 60.0
SERVICE = (sys.executable, "-m", "monitor")


class RunningService:
    """`gend-monitor run` on a configuration; `log` collects its standard error.

    Args:
        folder: where configuration and database are put.
        config: sections; `store` and `web` are filled in.
        command: what is run before `run CONFIG`: something around the service, or a service with something else in it.
        environment: variables besides those of the test.
        options: of `run`.
    """

    def __init__(
        self,
        folder: Path,
        config: dict[str, Any],
        *,
        command: Sequence[str] = SERVICE,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        config = {
            "store": {"url": f"sqlite+aiosqlite:///{folder / 'alerts.db'}"},
            "web": {"port": 0},
            "encoder": {"weights": "demo"},
            # Quicker than the default, so that a test need not watch for half a minute.
            "decision": {"threshold": 6, "min_blocks": 4},
            **config,
        }
        self._command = command
        self._options = options
        self._environment = dict(environment or {})
        self.path = folder / "monitor.yaml"
        self.path.write_text(yaml.safe_dump(config))
        self.log: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []
        self._out: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.web_url = ""
        self.mqtt_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Starts it and waits until it says that it watches."""
        self.process = subprocess.Popen(
            [*self._command, "run", str(self.path), *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where it is set, output that is never flushed would seem to arrive.
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | self._environment,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout, self.process.stderr
        self._threads = [
            threading.Thread(target=_pass_on, args=(out, self._out), daemon=True),
            threading.Thread(target=lambda: self.log.extend(err), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        line = self._first_line()
        assert line.startswith("watching"), (line, self.log)
        self.web_url = line.split()[-1]
        self.mqtt_port = int(line.partition("mqtt://127.0.0.1:")[2].partition(",")[0])

    def _first_line(self) -> str:
        assert self.process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                return self._out.get(timeout=0.2)
            except queue.Empty:
                assert self.process.poll() is None, self.log_text()
        raise AssertionError(f"it never said that it watches: {self.log_text()}")

    def terminate(self) -> tuple[int, float]:
        """SIGTERM; exit code and seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        code = self.process.wait(timeout=20)
        took_s = time.monotonic() - began
        for thread in self._threads:
            thread.join(5)
        return code, took_s

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=20)

    def wait_for_log(self, text: str) -> None:
        """Waits until it has said so."""
        deadline = time.monotonic() + READY_S
        while text not in self.log_text():
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)

    def log_text(self) -> str:
        """Everything on standard error so far."""
        return "".join(self.log)


def _pass_on(lines: Iterable[str], to: queue.SimpleQueue[str]) -> None:
    for line in lines:
        to.put(line)


class Subscriber:
    """A client that knows nothing of our code: paho's own, in its own thread."""

    def __init__(self, port: int, topic: str, host: str = "127.0.0.1") -> None:
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.passed: list[tuple[str, bytes]] = []
        """What `wait_for` has taken from `messages`."""
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.put(
            (message.topic, bytes(message.payload))
        )
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.connect(host, port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether the broker is there; after a loss the client connects again by itself."""
        return self._client.is_connected()

    def heard(self, topic: str, **fields: Any) -> dict[str, Any]:
        """A JSON message on a topic that has these fields: one that `wait_for` has passed over, or the next."""
        for got, payload in self.passed:
            if got == topic and fields.items() <= json.loads(payload).items():
                message: dict[str, Any] = json.loads(payload)
                return message
        return self.wait_for(topic, **fields)

    def wait_for(self, topic: str, timeout_s: float = 60, **fields: Any) -> dict[str, Any]:
        """The next JSON message on a topic that has these fields; what comes before it is passed over."""
        deadline = time.monotonic() + timeout_s
        while True:
            got, payload = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            self.passed.append((got, payload))
            if got == topic:
                message: dict[str, Any] = json.loads(payload)
                if all(message.get(name) == value for name, value in fields.items()):
                    return message
