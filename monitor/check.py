"""Tries what a configuration names, before anything is watched: streams, their calibrations, broker, and targets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from monitor.calibration_summary import duration, rate
from monitor.calibrations import refusal_by_settings
from monitor.config import MonitorConfig
from monitor.decision import read_calibration
from monitor.errors import MonitorError
from monitor.notify import check_target
from monitor.notify_config import TargetConfig
from monitor.publish import try_broker
from monitor.stream_check import StreamCheck, check_stream
from monitor.stream_config import StreamConfig
from monitor.web import check_tls
from monitor.web_config import WebConfig


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """What was found of the calibration of a stream; `error` says why `run` would refuse it.

    Whether it is of this encoder is told by `run`, which loads it.
    """

    stream: str
    file: str | None = None
    """None where false alarms of the stream are not measured."""
    error: str | None = None
    promised_per_day: float | None = None
    """False alarms a day and stream that are not exceeded."""
    asked_per_day: float | None = None
    kept: bool | None = None
    """Whether that is within what is asked for: alerts will say `calibrated`."""
    threshold: float | None = None
    missing_hours: float | None = None
    """Real footage still needed; 0 where the promise is kept."""


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
    calibrations: tuple[CalibrationCheck, ...] = ()
    """Of each stream, in their order."""
    web: str = "ok"
    """`ok`, or why its certificate cannot be used."""


def calibration_line(found: CalibrationCheck) -> str:
    """The same in a sentence."""
    if found.error is not None:
        return found.error
    if found.file is None:
        return f"{found.stream}: no calibration: false alarms are not measured"
    assert found.promised_per_day is not None
    assert found.missing_hours is not None
    can = f"at most {rate(found.promised_per_day)} false alarms a day are promised"
    if found.kept:
        return f"{found.stream}: calibrated by {found.file}: {can}"
    missing = f"{duration(found.missing_hours)} more of real footage needed"
    return f"{found.stream}: calibration {found.file}: {can}, not the {found.asked_per_day:g} asked for; {missing}"


async def check(config: MonitorConfig, timeout_s: float) -> CheckReport:
    """Opens every stream and the broker at the same time, each for at most `timeout_s`."""
    streams, mqtt = await asyncio.gather(
        asyncio.gather(*(check_stream(stream, timeout_s) for stream in config.streams)), _mqtt(config, timeout_s)
    )
    targets = await asyncio.to_thread(lambda: tuple(map(_target, config.notify)))
    calibrations = await asyncio.to_thread(lambda: tuple(_calibration(stream, config) for stream in config.streams))
    fitting = all(each.error is None for each in calibrations)
    understood = all(target.ok for target in targets)
    web = await asyncio.to_thread(_web, config.web)
    ok = fitting and understood and web == "ok" and all(stream.ok for stream in streams) and mqtt in {"ok", "embedded"}
    return CheckReport(ok, tuple(streams), mqtt, targets, calibrations, web)


def _calibration(stream: StreamConfig, config: MonitorConfig) -> CalibrationCheck:
    path = config.calibration_of(stream)
    if path is None:
        return CalibrationCheck(stream.name)
    try:
        calibration = read_calibration(path)
    except MonitorError as error:
        return CalibrationCheck(stream.name, str(path), error=f"{config.place_of_calibration(stream)}: {error}")
    why = refusal_by_settings(calibration, stream, config)
    if why is not None:
        said = f"{config.place_of_calibration(stream)}: {path}: {why}"
        return CalibrationCheck(stream.name, str(path), error=said)
    promise = calibration.promise(config.decision)
    return CalibrationCheck(
        stream.name,
        str(path),
        promised_per_day=promise.promised_per_day,
        asked_per_day=config.decision.false_alarms_per_stream_day,
        kept=promise.kept,
        threshold=promise.threshold,
        missing_hours=promise.missing_hours,
    )


def _target(target: TargetConfig) -> TargetCheck:
    try:
        return TargetCheck(target.name, ok=True, kind=check_target(target))
    except MonitorError as error:
        return TargetCheck(target.name, ok=False, error=str(error))


def _web(config: WebConfig) -> str:
    try:
        check_tls(config)
    except MonitorError as error:
        return str(error)
    return "ok"


async def _mqtt(config: MonitorConfig, timeout_s: float) -> str:
    if config.mqtt.url == "embedded:":
        return "embedded"
    try:
        await try_broker(config.mqtt, timeout_s)
    except MonitorError as error:
        return str(error)
    return "ok"
