"""Tries what a configuration names, before anything is watched: streams, broker, and whether targets are understood."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from monitor.config import MonitorConfig, StreamConfig
from monitor.errors import MonitorError
from monitor.ingest.probe import start_probe
from monitor.notify import check_target
from monitor.notify_config import TargetConfig
from monitor.publish import try_broker


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """What was found of one stream; `error` says why it cannot be watched."""

    name: str
    ok: bool
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """What was found of one target of `notify`; nothing is sent to it."""

    name: str
    ok: bool
    kind: str | None = None
    """apprise's service, or the webhook's host."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found of everything a configuration names."""

    ok: bool
    streams: tuple[StreamCheck, ...]
    mqtt: str
    """`ok`, `embedded`, or why the broker cannot be used."""
    notify: tuple[TargetCheck, ...] = ()


async def check(config: MonitorConfig, timeout_s: float) -> CheckReport:
    """Opens every stream and the broker at the same time, each for at most `timeout_s`."""
    streams, mqtt = await asyncio.gather(
        asyncio.gather(*(_stream(stream, timeout_s) for stream in config.streams)), _mqtt(config, timeout_s)
    )
    targets = await asyncio.to_thread(lambda: tuple(map(_target, config.notify)))
    understood = all(target.ok for target in targets)
    ok = understood and all(stream.ok for stream in streams) and mqtt in {"ok", "embedded"}
    return CheckReport(ok, tuple(streams), mqtt, targets)


async def _stream(stream: StreamConfig, timeout_s: float) -> StreamCheck:
    probing = asyncio.wrap_future(start_probe(stream, timeout_s))
    await asyncio.wait([probing], timeout=timeout_s)
    if not probing.done():
        probing.cancel()
        return StreamCheck(stream.name, ok=False, error=f"no picture within {timeout_s:g} s")
    try:
        found = probing.result()
    except MonitorError as error:
        return StreamCheck(stream.name, ok=False, error=str(error))
    return StreamCheck(stream.name, True, found.codec, found.width, found.height, found.fps)


def _target(target: TargetConfig) -> TargetCheck:
    try:
        return TargetCheck(target.name, ok=True, kind=check_target(target))
    except MonitorError as error:
        return TargetCheck(target.name, ok=False, error=str(error))


async def _mqtt(config: MonitorConfig, timeout_s: float) -> str:
    if config.mqtt.url == "embedded:":
        return "embedded"
    try:
        await try_broker(config.mqtt, timeout_s)
    except MonitorError as error:
        return str(error)
    return "ok"
