"""`gend-monitor run`: loads the parts, serves, and stops on a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from monitor.config import MonitorConfig
from monitor.ingest import check_protocols
from monitor.parts import load_parts
from monitor.publish import check_certificates
from monitor.service import Started, serve

_log = logging.getLogger("monitor.service")


def run_service(config: MonitorConfig, on_started: Callable[[Started], None]) -> None:
    """Runs the service until SIGTERM or SIGINT; then the process should be left at once.

    The event loop is not closed: that would wait for its threads, and one may be stuck in a camera's driver or in the
    handshake of a broker that does not answer. Everything that matters has ended when this returns.

    Raises:
        ConfigError: a stream's protocol is unknown to this build of FFmpeg, or a certificate cannot be used.
        GendError: weights or face detector cannot be had.
        MonitorError: as `serve`.
    """
    check_protocols(config.streams)
    check_certificates(config.mqtt)
    parts = load_parts(config)

    async def until_signal() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask_to_stop, stop, number)
        await serve(config, parts, stop, on_started)

    asyncio.Runner().run(until_signal())


def _ask_to_stop(stop: asyncio.Event, number: int) -> None:
    if not stop.is_set():
        _log.info("%s: stopping", signal.Signals(number).name)
    stop.set()
