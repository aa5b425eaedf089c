"""Runs the service on the demo clip and prints each alert as a subscriber receives it over MQTT."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
from rich.console import Console
from rich.progress import Progress

from monitor.config import MonitorConfig
from monitor.demo.clip import MANIPULATED_FROM_S, SECONDS, demo_clip
from monitor.parts import load_parts
from monitor.service import Started, serve

STREAM = "demo-call"


def run_demo(*, until_alert: bool, timeout_s: float | None, detector: str, port: int) -> int:
    """Plays the demo until it is stopped, the first alert, or the time is over.

    Args:
        until_alert: end with 0 once an alert was received.
        timeout_s: end after so many seconds, set-up included: with 1 if an alert was waited for, else with 0.
        detector: as `faces.detector` in the configuration.
        port: of health and metrics.

    Returns:
        The exit code.

    Raises:
        GendError: models or pictures cannot be had.
        MonitorError: the service cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="gend-demo-") as folder:
        try:
            return asyncio.run(_demo(Path(folder), until_alert, timeout_s, detector, port))
        except TimeoutError:
            print(f"no alert within {timeout_s:g} s" if until_alert else "time is over", file=sys.stderr)
            return 1 if until_alert else 0


async def _demo(folder: Path, until_alert: bool, timeout_s: float | None, detector: str, port: int) -> int:
    async with asyncio.timeout(timeout_s):
        say("loading the demo encoder and a face detector …")
        config = _config(folder, detector, port)
        parts = await asyncio.to_thread(load_parts, config)
        clip = await asyncio.to_thread(_clip)
        config = _config(folder, detector, port, clip)
        # From here on the alerts speak for themselves, as they arrive.
        logging.getLogger("monitor").setLevel(logging.ERROR)
        stop, started = asyncio.Event(), asyncio.Event()
        where: list[Started] = []

        def on_started(now: Started) -> None:
            where.append(now)
            started.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        service = asyncio.create_task(serve(config, parts, stop, on_started))
        showing = asyncio.create_task(_show(started, where, until_alert))
        try:
            # Whatever ends first ends the demo: a signal, the alert waited for, or an error of either side.
            await asyncio.wait([service, showing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            await service
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    if not showing.cancelled():
        showing.result()
    return 0


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


def _clip() -> Path:
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("making the demo clip", total=1.0)
        return demo_clip(lambda part: progress.update(task, completed=part))


async def _show(started: asyncio.Event, where: list[Started], until_alert: bool) -> None:
    await started.wait()
    say(
        f"playing a call of four people as the live stream '{STREAM}'; health and metrics at {where[0].web_url}\n"
        f"the person on the left is manipulated from second {MANIPULATED_FROM_S:g} of {SECONDS:g} on; "
        "the alert follows once the evidence has grown (Ctrl-C ends)"
    )
    async for alert in _alerts(where[0].mqtt_url):
        print(_line(alert), flush=True)
        if until_alert and alert["type"] == "raised":
            return


async def _alerts(url: str) -> AsyncIterator[dict[str, Any]]:
    """Alerts as any subscriber of the broker gets them."""
    address = urlsplit(url)
    topic = f"gend/alerts/{STREAM}"
    async with aiomqtt.Client(address.hostname or "", address.port or 1883) as client:
        await client.subscribe(topic, qos=1)
        async for message in client.messages:
            # The broker inside also sends retained messages that match other clients' subscriptions.
            if message.topic.matches(topic) and isinstance(message.payload, bytes):
                yield json.loads(message.payload)


def _line(alert: dict[str, Any]) -> str:
    what = f"{alert['type'].upper():8}{alert['stream']} track {alert['track']}: {alert['verdict']}"
    figures = f"evidence {alert['evidence']:.1f} of {alert['threshold']:.1f}, {alert['samples']} crops"
    return f"{alert['captured_at'][11:19]} {what}, {figures}; {alert['reason']} [{'; '.join(alert['notices'])}]"
