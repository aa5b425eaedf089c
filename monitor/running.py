"""`gend-monitor run`: loads the parts, serves, and stops on a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from monitor.config import MonitorConfig
from monitor.parts import load_parts
from monitor.service import Started, serve

_log = logging.getLogger("monitor.service")


def run_service(config: MonitorConfig, on_started: Callable[[Started], None]) -> bool:
    """Runs the service until SIGTERM or SIGINT.

    Returns:
        Whether every thread ended; see `serve`.

    Raises:
        GendError: weights or face detector cannot be had.
        MonitorError: as `serve`.
    """
    parts = load_parts(config)

    async def until_signal() -> bool:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask_to_stop, stop, number)
        return await serve(config, parts, stop, on_started)

    return asyncio.run(until_signal())


def _ask_to_stop(stop: asyncio.Event, number: int) -> None:
    if not stop.is_set():
        _log.info("%s: stopping", signal.Signals(number).name)
    stop.set()
