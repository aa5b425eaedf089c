"""`gend-monitor run`: loads the parts, serves, and stops on a signal; SIGHUP has it take over other adapters."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

from gend.errors import GendError
from monitor.adapters import AdapterReload
from monitor.config import MonitorConfig
from monitor.errors import MonitorError
from monitor.ingest import check_protocols
from monitor.leaving import leave_within
from monitor.notify import check_target
from monitor.parts import load_parts
from monitor.publish import check_certificates
from monitor.redact import one_line
from monitor.service import Started, serve

_log = logging.getLogger("monitor.service")

# An orderly stop is done before; this is for what hangs.
_AT_MOST_S = 4.7


def run_service(
    config: MonitorConfig, on_started: Callable[[Started], None], read_again: Callable[[], MonitorConfig]
) -> None:
    """Runs the service until SIGTERM or SIGINT; then the process should be left at once.

    At SIGHUP the configuration is read again and its adapters are taken over; all else of it waits for a restart. In a
    terminal SIGHUP says that the terminal is gone, and stops the service as the others do.

    The event loop is not closed: that would wait for its threads, and one may be stuck in a camera's driver or in the
    handshake of a broker that does not answer. Everything that matters has ended when this returns.

    Raises:
        ConfigError: a stream's protocol is unknown to this build of FFmpeg, a certificate cannot be used, or
            apprise does not understand a target's URL.
        GendError: weights or face detector cannot be had.
        MonitorError: as `serve`.
    """
    check_protocols(config.streams)
    check_certificates(config.mqtt)
    for target in config.notify:
        check_target(target)
    asyncio.Runner().run(_until_signal(config, on_started, read_again))


async def _until_signal(
    config: MonitorConfig, on_started: Callable[[Started], None], read_again: Callable[[], MonitorConfig]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    hung_up = asyncio.Event()
    if sys.stdin.isatty():  # then it says that the terminal is gone
        loop.add_signal_handler(signal.SIGHUP, _ask_to_stop, stop, signal.SIGHUP)
    else:
        loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    loading = asyncio.create_task(asyncio.to_thread(load_parts, config))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        parts = loading.result()
        reload = AdapterReload(
            parts.adapters,
            read_again,
            calibrated=parts.calibrations.streams,
            learning=config.decision.learning is not None,
        )
        changing = asyncio.create_task(_change_adapters(hung_up, reload), name="adapters")
        try:
            await serve(config, parts, stop, on_started, reload=reload)
        finally:
            changing.cancel()


async def _change_adapters(hung_up: asyncio.Event, reload: AdapterReload) -> None:
    while await hung_up.wait():
        hung_up.clear()
        try:
            names = await reload()
        except (GendError, MonitorError) as error:
            _log.error("SIGHUP: nothing is taken over: %s", one_line(error))
        else:
            _log.info("SIGHUP: adapters taken over: %s; other changes wait for a restart", ", ".join(names) or "none")


def _ask_to_stop(stop: asyncio.Event, number: int) -> None:
    if not stop.is_set():
        _log.info("%s: stopping", signal.Signals(number).name)
        leave_within(_AT_MOST_S)
    stop.set()
