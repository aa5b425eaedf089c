"""A real HTTP server on the loopback that takes notifications, and misbehaves as told.

with Receiver() as receiver:
    receiver.answer = lambda request: 500
    ...
    request = wait_until(lambda: receiver.requests)[0]
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HANG = 0
"""An answer that never comes."""


@dataclass(frozen=True)
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed

    def ids(self) -> list[str]:
        """Ids of the alerts in it."""
        alerts = self.json().get("alerts", [self.json()])
        return [alert["id"] for alert in alerts]


class Receiver:
    """The server.

    Args:
        port: to listen on; 0 takes a free one.

    Attributes:
        requests: all that arrived, whatever was answered.
        taken: those that were answered by 200.
        answer: the status for a request, or `HANG`; 200 unless set.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.answer: Callable[[Request], int] = lambda _: 200
        self._ending = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # who sends was killed amid it
                request = Request(self.path, dict(self.headers.items()), body)
                receiver.requests.append(request)
                status = receiver.answer(request)
                if status == HANG:
                    receiver._ending.wait()
                    return
                if status == 200:
                    receiver.taken.append(request)
                self.send_response(status)
                if status in {301, 302, 307, 308}:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def taken_ids(self) -> list[list[str]]:
        """Ids of the alerts of each request that was taken."""
        return [request.ids() for request in self.taken]
