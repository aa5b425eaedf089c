"""Runs the service on the demo clip and prints each alert as a subscriber receives it over MQTT."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from rich.console import Console
from rich.progress import Progress

from monitor.config import MonitorConfig
from monitor.demo.clip import MANIPULATED_FROM_S, SECONDS, demo_clip
from monitor.errors import MonitorError
from monitor.parts import load_live_parts
from monitor.service import Started, serve
from monitor.steps import Parts
from monitor.web.dashboard import opened_dashboard

STREAM = "demo-call"
_ANSWER_S = 2.0
"""Given to the broker inside, which is in this process."""


def run_demo(*, until_alert: bool, timeout_s: float | None, detector: str, port: int) -> int:
    """Plays the demo until a signal, the first alert, or the end of its time; then the process should be left at once.

    The event loop is not closed, as in `monitor.running`: that would wait for threads, and one may still be loading.

    Args:
        until_alert: end with 0 once an alert was received, and with 1 if none was.
        timeout_s: end after so many seconds, set-up included.
        detector: as `faces.detector` in the configuration.
        port: of health and metrics.

    Returns:
        The exit code.

    Raises:
        GendError: models or pictures cannot be had.
        MonitorError: the service cannot start, or its broker fails.
    """
    with tempfile.TemporaryDirectory(prefix="gend-demo-") as folder:
        alerted = asyncio.Runner().run(_demo(Path(folder), until_alert, timeout_s, detector, port))
    return 1 if until_alert and not alerted else 0


async def _demo(folder: Path, until_alert: bool, timeout_s: float | None, detector: str, port: int) -> bool:
    """Returns whether the alert that was waited for came."""
    ending = asyncio.create_task(_until_asked_to_end(until_alert, timeout_s))
    preparing = asyncio.create_task(_prepare(folder, detector, port))
    try:
        await asyncio.wait([ending, preparing], return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return False
        config, parts = preparing.result()
        return await _play(config, parts, until_alert, ending)
    finally:
        for task in (ending, preparing):
            task.cancel()
        await asyncio.wait([ending, preparing])


async def _until_asked_to_end(until_alert: bool, timeout_s: float | None) -> None:
    """Returns at SIGTERM or SIGINT, or when the time is over, and then says so."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        # Nothing but the waiting is inside: a time-out of anything else is not taken for this one.
        async with asyncio.timeout(timeout_s):
            await asked.wait()
    except TimeoutError:
        say(f"no alert within {timeout_s:g} s" if until_alert else "time is over")


async def _prepare(folder: Path, detector: str, port: int) -> tuple[MonitorConfig, Parts]:
    say("loading the demo encoder and a face detector …")
    parts = await asyncio.to_thread(load_live_parts, _config(folder, detector, port))
    return _config(folder, detector, port, await _clip()), parts


async def _clip() -> Path:
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("making the demo clip", total=1.0)
        return await asyncio.to_thread(demo_clip, lambda part: progress.update(task, completed=part))


async def _play(config: MonitorConfig, parts: Parts, until_alert: bool, ending: asyncio.Task[None]) -> bool:
    """Returns whether the alert that was waited for came."""
    logging.getLogger("monitor.service").addFilter(_not_an_alert)
    stop = asyncio.Event()
    started: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
    service = asyncio.create_task(serve(config, parts, stop, started.set_result, pages=opened_dashboard))
    awaited: list[asyncio.Future[Any]] = [service, started, ending]
    await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    try:
        return started.done() and await _subscribe(started.result(), until_alert, service, ending)
    except aiomqtt.MqttError as error:
        raise MonitorError(f"the demo's subscriber has lost the broker inside: {error}") from error
    finally:
        stop.set()
        await service
        await asyncio.to_thread(parts.close)


async def _subscribe(
    where: Started, until_alert: bool, service: asyncio.Task[None], ending: asyncio.Task[None]
) -> bool:
    """Shows alerts until one of the tasks is done, and leaves the broker before the service takes it away.

    Returns:
        Whether the alert that was waited for came.
    """
    say(
        f"playing a call of three people as the live stream '{STREAM}'\n"
        f"open {where.web_url} in a browser to look on\n"
        f"the person on the left is manipulated from second {MANIPULATED_FROM_S:g} of {SECONDS:g} on; "
        "the alert follows once the evidence has grown (Ctrl-C ends)"
    )
    address = urlsplit(where.mqtt_url)
    async with aiomqtt.Client(address.hostname or "", address.port or 1883, timeout=_ANSWER_S) as client:
        showing = asyncio.create_task(_show(client, until_alert))
        await asyncio.wait([service, showing, ending], return_when=asyncio.FIRST_COMPLETED)
        showing.cancel()
        (shown,) = await asyncio.gather(showing, return_exceptions=True)
    if isinstance(shown, Exception):
        raise shown
    return shown is None


async def _show(client: aiomqtt.Client, until_alert: bool) -> None:
    """Prints alerts as any subscriber gets them; for ever, or until the first one was raised."""
    topic = f"gend/alerts/{STREAM}"
    await client.subscribe(topic, qos=1)
    async for message in client.messages:
        # The broker inside also sends retained messages that match other clients' subscriptions.
        if message.topic.matches(topic) and isinstance(message.payload, bytes):
            alert = json.loads(message.payload)
            print(_line(alert), flush=True)
            if until_alert and alert["type"] == "raised":
                return


def _not_an_alert(record: logging.LogRecord) -> bool:
    """Takes the service's own lines of alerts out of the log: here they are printed as a subscriber receives them."""
    told = ": alert %s on %s: " in str(record.msg)
    return not told or logging.getLogger("monitor").isEnabledFor(logging.DEBUG)


def say(text: str) -> None:
    """Tells the person at the terminal what is going on, apart from the alerts themselves."""
    print(text, file=sys.stderr, flush=True)


def _config(folder: Path, detector: str, port: int, clip: Path | None = None) -> MonitorConfig:
    return MonitorConfig.model_validate(
        {
            "streams": [{"name": STREAM, "url": f"file:{clip or folder}", "loop": True}],
            "faces": {"detector": detector},
            "encoder": {"weights": "demo"},
            "mqtt": {"url": "embedded:"},
            "store": {"url": f"sqlite+aiosqlite:///{folder / 'demo.db'}"},
            "web": {"port": port},
        }
    )


def _line(alert: dict[str, Any]) -> str:
    what = f"{alert['type'].upper():8}{alert['stream']} track {alert['track']}: {alert['verdict']}"
    figures = f"evidence {alert['evidence']:.1f} of {alert['threshold']:.1f}, {alert['samples']} crops"
    return f"{alert['captured_at'][11:19]} {what}, {figures}; {alert['reason']} [{'; '.join(alert['notices'])}]"
