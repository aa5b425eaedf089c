"""`gend-monitor run`: loads the parts, serves, and stops on a signal."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from monitor.config import MonitorConfig
from monitor.ingest import check_protocols
from monitor.leaving import leave_within
from monitor.parts import load_parts
from monitor.publish import check_certificates
from monitor.service import Started, serve

_log = logging.getLogger("monitor.service")

# An orderly stop is done before; this is for what hangs.
_AT_MOST_S = 4.7


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
    asyncio.Runner().run(_until_signal(config, on_started))


async def _until_signal(config: MonitorConfig, on_started: Callable[[Started], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    loading = asyncio.create_task(asyncio.to_thread(load_parts, config))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        await serve(config, loading.result(), stop, on_started)


def _ask_to_stop(stop: asyncio.Event, number: int) -> None:
    if not stop.is_set():
        _log.info("%s: stopping", signal.Signals(number).name)
        leave_within(_AT_MOST_S)
    stop.set()
