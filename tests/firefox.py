"""A real Firefox without a window, driven over WebDriver BiDi (W3C), which it speaks itself."""

from __future__ import annotations

import itertools
import json
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_START_S = 60.0
_ANSWER_S = 60.0
_PREFERENCES = {
    "media.navigator.streams.fake": True,  # a camera that shows a moving test picture
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "media.gmp-manager.updateEnabled": False,
}


def installed() -> str | None:
    """Where it is; None where it is not."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One page of it.

    Args:
        folder: for its profile; empty.

    Attributes:
        complaints: errors of scripts and in the console.
    """

    def __init__(self, folder: Path) -> None:
        self.complaints: list[str] = []
        self._folder = folder
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._context = ""

    def __enter__(self) -> Self:
        program = installed()
        assert program is not None
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
        (self._folder / "user.js").write_text("\n".join(lines))
        self._process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--profile", str(self._folder), "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self._socket = self._connected()
            threading.Thread(target=self._listen, daemon=True).start()
            self.do("session.new", capabilities={})
            self.do("session.subscribe", events=["log.entryAdded"])
            self._context = self.do("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._answers[number] = waiting
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        answer = waiting.get(timeout=_ANSWER_S)
        del self._answers[number]
        assert answer["type"] == "success", answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Goes to a page and waits until it is loaded."""
        self.do("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def ask(self, expression: str) -> Any:
        """What a JavaScript expression comes to: a text, a number, true or false."""
        told = self.do("script.evaluate", expression=expression, target={"context": self._context}, awaitPromise=True)
        assert told["type"] == "success", told
        return told["result"].get("value")

    def _connected(self) -> ClientConnection:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        errors = self._process.stderr
        assert errors is not None
        threading.Thread(target=_pass_on, args=(errors, lines), daemon=True).start()
        deadline = time.monotonic() + _START_S
        while "WebDriver BiDi listening on " not in (line := lines.get(timeout=max(0.1, deadline - time.monotonic()))):
            pass
        return connect(f"{line.split()[-1]}/session", max_size=None)

    def _listen(self) -> None:
        for message in self._socket:
            told = json.loads(message)
            if told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.complaints.append(str(told["params"]["text"]))
            elif (waiting := self._answers.get(told.get("id"))) is not None:
                waiting.put(told)


def _pass_on(lines: Iterable[str], to: queue.SimpleQueue[str]) -> None:
    for line in lines:
        to.put(line)
