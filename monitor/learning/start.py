"""How learning begins: the file that is learnt into, and what its numbers are of."""

from __future__ import annotations

import logging
from importlib.metadata import version

from monitor.clock import Clock
from monitor.config import MonitorConfig
from monitor.decision import sampling_policy
from monitor.decision.measured import Header, StreamLine
from monitor.decision.measured_file import MeasuredFile
from monitor.errors import ConfigError
from monitor.learning.learner import Learner
from monitor.steps import Parts
from monitor.stream_config import StreamConfig

_log = logging.getLogger("monitor.learning")

_DEFAULT_HOURS = 24.0
"""A camera-day."""
_HOUR_S = 3600.0


def _session_hours(config: MonitorConfig, parts: Parts) -> float:
    """Length of a session: that of the configuration, or else of all calibrations; or else a day."""
    if config.decision.session_hours is not None:
        return config.decision.session_hours
    lengths = {each.session_hours for each in parts.calibrations.own.values() if each is not None}
    return lengths.pop() if len(lengths) == 1 else _DEFAULT_HOURS


def new_learner(config: MonitorConfig, parts: Parts, clock: Clock) -> Learner | None:
    """Opens the file of `decision.learning`, or makes it; blocks. None where there is no such setting.

    Raises:
        ConfigError: there is no such folder, the file is of another encoder, sampling or length of session, or it was
            edited.
        MonitorError: another process learns into it, or it cannot be written.
    """
    path = config.decision.learning
    if path is None:
        return None
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: no such folder")
    for stream in config.streams:
        if stream.loop:
            _log.warning("%s: plays a file again and again: sessions of it are one, and promise too much", stream.name)
    hours = _session_hours(config, parts)
    header = Header(software=version("gend-monitor"), session_hours=hours)
    streams = [_line(stream, config, parts) for stream in config.streams]
    file = MeasuredFile.open(path, header, streams, config.decision.learning_max_mb * 1e6)
    return Learner(file, hours * _HOUR_S, clock, [stream.name for stream in config.streams if not stream.many])


def _line(stream: StreamConfig, config: MonitorConfig, parts: Parts) -> StreamLine:
    return StreamLine(
        stream=stream.name,
        encoder=parts.encoder_of(stream),
        policy=sampling_policy(config.faces, parts.face_detector, stream.ignore),
    )
