"""A subscriber to alerts that is not ours, in a process of its own, which tells when each came to it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

_CONNECT_S = 60.0


class Listener:
    """A client of the broker in a process of its own; when each alert came to it."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "benchmarks.alert_listener", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._alerts: dict[str, queue.SimpleQueue[tuple[float, dict[str, Any]]]] = {}
        self._ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(_CONNECT_S):
            raise TimeoutError("no connection to the broker")

    def raised(self, stream: str) -> queue.SimpleQueue[tuple[float, dict[str, Any]]]:
        """Alerts that were raised on a stream."""
        return self._alerts.setdefault(stream, queue.SimpleQueue())

    def stop(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == "ready":
                self._ready.set()
                continue
            at_s, alert = json.loads(line)
            if alert["type"] == "raised":
                self.raised(alert["stream"]).put((at_s, alert))


def main(port: int) -> None:
    """Prints every alert and when it came."""

    def heard(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        print(json.dumps([time.monotonic(), json.loads(message.payload)]), flush=True)

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("gend/alerts/#", qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = heard
    client.connect("127.0.0.1", port)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
