"""`gend-monitor run`: loads the parts, serves until a signal, and takes over what changes in the file meanwhile."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from monitor.added import AddedStreams
from monitor.config import MonitorConfig
from monitor.config_watch import ConfigWatch
from monitor.ingest import check_protocols
from monitor.leaving import leave_within
from monitor.notify import check_target
from monitor.parts import load_live_parts
from monitor.publish import check_certificates
from monitor.reloading import ConfigSource
from monitor.service import Started, serve
from monitor.steps import Parts
from monitor.web import check_tls
from monitor.web.dashboard import opened_dashboard

_log = logging.getLogger("monitor.service")

# An orderly stop is done before; this is for what hangs.
_AT_MOST_S = 4.7


def run_service(
    path: Path,
    read: Callable[[], MonitorConfig],
    on_started: Callable[[int, Started], None],
    hide: Callable[[Iterable[str]], None] = lambda _: None,
) -> None:
    """Runs the service until SIGTERM or SIGINT; then the process should be left at once.

    Where the file changes, and at SIGHUP, it is read again, and what can be taken over without a restart is. In a
    terminal SIGHUP says that the terminal is gone, and stops the service as the others do.

    The event loop is not closed: that would wait for its threads, and one may be stuck in a camera's driver or in the
    handshake of a broker that does not answer. Everything that matters has ended when this returns.

    Args:
        path: the configuration file.
        read: reads it.
        on_started: told how many streams are watched, and where the service is reached.
        hide: keeps secrets of added streams out of the log.

    Raises:
        ConfigError: the file cannot be read or is wrong, a stream's protocol is unknown to this build of FFmpeg, a
            certificate cannot be used, or apprise does not understand a target's URL.
        GendError: weights or face detector cannot be had.
        MonitorError: as `serve`.
    """
    watch = ConfigWatch(path)  # before it is read: what is written meanwhile is a change
    config = read()
    check_protocols(config.streams)
    check_certificates(config.mqtt)
    check_tls(config.web)
    for target in config.notify:
        check_target(target)
    source = ConfigSource(watch, read, AddedStreams(config, path, hide))
    asyncio.Runner().run(_until_signal(source, on_started))


async def _until_signal(source: ConfigSource, on_started: Callable[[int, Started], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    if sys.stdin.isatty():  # then it says that the terminal is gone
        loop.add_signal_handler(signal.SIGHUP, _ask_to_stop, stop, signal.SIGHUP)
    else:
        loop.add_signal_handler(signal.SIGHUP, source.watch.ask)
    loading = asyncio.create_task(_loaded(source))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        config, parts = loading.result()
        try:
            await serve(
                config, parts, stop, partial(on_started, len(config.streams)), source=source, pages=opened_dashboard
            )
        finally:
            await asyncio.to_thread(parts.close)


async def _loaded(source: ConfigSource) -> tuple[MonitorConfig, Parts]:
    """The whole configuration, with what was added, and its parts."""
    assert source.added is not None
    whole = await source.added.merge(source.added.in_force.file)
    source.added.take_over(whole)
    return whole.config, await asyncio.to_thread(load_live_parts, whole.config)


def _ask_to_stop(stop: asyncio.Event, number: int) -> None:
    if not stop.is_set():
        _log.info("%s: stopping", signal.Signals(number).name)
        leave_within(_AT_MOST_S)
    stop.set()
