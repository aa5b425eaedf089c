"""Which calibration judges which stream: its own, or else that of `decision`. Each is refused where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config import MonitorConfig
from monitor.decision import (
    Calibration,
    Encoder,
    Statistic,
    calibrated,
    read_calibration,
    sampling_policy,
    uncalibrated,
)
from monitor.decision_config import DecisionConfig
from monitor.errors import ConfigError
from monitor.stream_config import StreamConfig

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class StreamCalibrations:
    """The calibration of each stream."""

    own: Mapping[str, Calibration | None] = field(default_factory=dict)
    """Of the configured streams; None where there is none."""
    others: Calibration | None = None
    """For a recording that is no configured stream: that of `decision`, where it was found to fit one that is."""

    def of(self, stream: str) -> Calibration | None:
        """The stream's calibration; None where nobody has measured its false alarms."""
        return self.own.get(stream, self.others)

    @property
    def streams(self) -> tuple[str, ...]:
        """The configured streams that have one."""
        return tuple(name for name, calibration in self.own.items() if calibration is not None)

    def statistics(self, config: DecisionConfig) -> Callable[[str], Statistic]:
        """What each stream is decided by, computed now."""
        own = {name: _statistic(calibration, config) for name, calibration in self.own.items()}
        others = _statistic(self.others, config)
        return lambda stream: own.get(stream, others)


def _statistic(calibration: Calibration | None, config: DecisionConfig) -> Statistic:
    return uncalibrated(config) if calibration is None else calibrated(calibration, config)


def read_calibrations(config: MonitorConfig) -> StreamCalibrations:
    """Reads each file once.

    Raises:
        ConfigError: one cannot be read, was edited, or is of another version.
    """
    read: dict[Path, Calibration] = {}
    own: dict[str, Calibration | None] = {}
    others = None
    for stream in config.streams:
        path = config.calibration_of(stream)
        if path is not None and path not in read:
            try:
                read[path] = read_calibration(path)
            except ConfigError as error:
                raise ConfigError(f"{config.place_of_calibration(stream)}: {error}") from error
        own[stream.name] = None if path is None else read[path]
        if stream.calibration is None:
            others = own[stream.name]
    return StreamCalibrations(own, others)


def without_calibrations(config: MonitorConfig) -> MonitorConfig:
    """The same with none, to make one by."""
    streams = [stream.model_copy(update={"calibration": None}) for stream in config.streams]
    decision = config.decision.model_copy(update={"calibration": None})
    return config.model_copy(update={"streams": streams, "decision": decision})


def check_calibrations(
    calibrations: StreamCalibrations,
    config: MonitorConfig,
    encoder_of: Callable[[StreamConfig], Encoder],
    detector: str,
) -> None:
    """Holds the calibration of each stream against what the stream is judged by.

    Args:
        calibrations: of the configuration's streams.
        config: sessions, quorum, sampling and `ignore`.
        encoder_of: what scores a stream.
        detector: the face detector that `auto` came to.

    Raises:
        ConfigError: one does not fit; both values and the stream are named.
    """
    for stream in config.streams:
        calibration = calibrations.of(stream.name)
        if calibration is None:
            continue
        why = session_refusal(calibration, config.decision)
        if why is None:
            policy = sampling_policy(config.faces, detector, stream.ignore)
            why = calibration.refusal(encoder_of(stream), policy)
            why = why and f"{why} (stream {stream.name}); calibrate again"
        if why is not None:
            raise ConfigError(f"{config.place_of_calibration(stream)}: {config.calibration_of(stream)}: {why}")


def session_refusal(calibration: Calibration, decision: DecisionConfig) -> str | None:
    """Why its sessions cannot be used, with both values; None if they can."""
    hours, session_s = decision.session_hours, calibration.session_hours * _HOUR_S
    if hours is not None and hours != calibration.session_hours:
        return f"made for sessions of {calibration.session_hours:.3g} h, but decision.session_hours is {hours:g}"
    if session_s <= decision.min_blocks:
        return (
            f"made for sessions of {session_s:.0f} s, in which decision.min_blocks {decision.min_blocks} s never come "
            "together; calibrate on longer recordings"
        )
    return None


def refusal_by_settings(calibration: Calibration, stream: StreamConfig, config: MonitorConfig) -> str | None:
    """As `check_calibrations`, as far as can be told with no encoder loaded: not by its hash, nor by what `auto` is."""
    why = session_refusal(calibration, config.decision)
    if why is not None:
        return why
    made, faces = calibration.encoder, config.faces
    asked = {"adapter": stream.adapter}
    if stream.adapter != made.adapter:
        asked["adapter_sha256"] = None
    for name in ("engine", "precision"):
        if getattr(config.encoder, name) != "auto":
            asked[name] = getattr(config.encoder, name)
    detector = str(calibration.policy.get("detector")) if faces.detector == "auto" else faces.detector
    return calibration.refusal(made.model_copy(update=asked), sampling_policy(faces, detector, stream.ignore))
