"""Serves the application inside the service's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from monitor.errors import MonitorError
from monitor.web.accepting import Accepting
from monitor.web.certificates import check_tls
from monitor.web.patience import PatientHttp
from monitor.web_config import WebConfig

_BACKLOG = 128
"""asyncio accepts as many in one go: uvicorn's 2048 would be as many tries each second where no handle is left."""
_KEEP_ALIVE_S = 75
"""Longer than a Prometheus pauses: who is connected already can ask what is wrong when nobody can connect any more."""
_WS_MESSAGE_BYTES = 1_000_000


class _Server(uvicorn.Server):
    """Leaves signals to the service, which has more to stop than HTTP."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


class WebServer:
    """Binds at once, so that a port in use is an error before anything is started.

    Raises:
        ConfigError: the certificate cannot be used.
        MonitorError: the address cannot be bound.
    """

    def __init__(self, config: WebConfig) -> None:
        check_tls(config)
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((config.host, config.port))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise MonitorError(f"web.port: cannot listen on {config.host}:{config.port}: {error.strerror}") from error
        self.port: int = self._socket.getsockname()[1]
        host = f"[{config.host}]" if family == socket.AF_INET6 else config.host
        self.url = f"{'http' if config.tls_cert is None else 'https'}://{host}:{self.port}"
        self._config = config
        self._server: _Server | None = None

    async def run(self, app: FastAPI) -> None:
        """Serves until `stop`."""
        Accepting().watch(asyncio.get_running_loop())
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=1,
                backlog=_BACKLOG,
                http=PatientHttp,
                ws_max_size=_WS_MESSAGE_BYTES,
                # uvicorn would believe forwarding headers from 127.0.0.1; whom we believe is configured (`proxies.py`).
                proxy_headers=False,
                server_header=False,
                ssl_certfile=self._config.tls_cert,
                ssl_keyfile=self._config.tls_key,
            )
        )
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Ends `run`, or frees the port if it was never called."""
        if self._server is None:
            self._socket.close()
        else:
            self._server.should_exit = True
