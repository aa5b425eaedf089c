"""Loads what a pipeline is made of: the encoder and the face detectors. Slow, and done before anything starts."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from gend.faces import load_detector
from gend.model import Detector
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig
from monitor.decision import Calibration, Encoder, read_calibration, sampling_policy
from monitor.errors import ConfigError
from monitor.messages import ModelIdentity
from monitor.steps import Parts

_log = logging.getLogger("monitor.service")

# Below the gate's confidence on purpose: an uncertain face still carries a track on, it is only not scored.
_SEARCH_CONFIDENCE = 0.4


def load_parts(config: MonitorConfig) -> Parts:
    """Loads the encoder's weights and finds out which face detector there is.

    Raises:
        GendError: weights or detector cannot be had.
        ConfigError: the calibration cannot be read, or is of another encoder or other settings.
    """
    calibration = None if config.decision.calibration is None else read_calibration(config.decision.calibration)
    # The demo encoder is so small that more threads than one only get in each other's way.
    threads = 1 if config.encoder.weights == "demo" else None
    adapters = config.encoder.adapters or None
    encoder = Detector.load(
        config.encoder.weights,
        engine=config.encoder.engine,
        precision=config.encoder.precision,
        device=config.encoder.device,
        threads=threads,
        max_logit_drift=config.encoder.max_logit_drift,
        adapters=adapters,
    )
    for notice in encoder.notices:
        _log.warning("%s", notice)
    # `auto` is settled once, with its one warning; each stream's thread then gets a detector of that kind.
    first = load_detector(config.faces.detector, threshold=_SEARCH_CONFIDENCE, warn=_log.warning)
    kind = first.name if config.faces.detector == "auto" else config.faces.detector

    # Not a closure: workers' processes make theirs by it.
    new_face_detector = partial(load_detector, kind, threshold=_SEARCH_CONFIDENCE, warn=_log.debug)
    identity = encoder.identity
    model = ModelIdentity(identity.weights, identity.sha256, None, identity.engine, identity.precision)
    stream_adapters = StreamAdapters(config, encoder.set_adapters, lambda: encoder.adapters)
    if calibration is not None:
        _check_calibration(calibration, config, model, kind, stream_adapters)
    return Parts(encoder, model, new_face_detector, stream_adapters, kind, calibration)


def _check_calibration(
    calibration: Calibration, config: MonitorConfig, model: ModelIdentity, detector: str, adapters: StreamAdapters
) -> None:
    path, hours = config.decision.calibration, config.decision.session_hours
    if hours is not None and hours != calibration.session_hours:
        raise ConfigError(
            f"decision.calibration: {path}: made for sessions of {calibration.session_hours:.3g} h, but "
            f"decision.session_hours is {hours:g}"
        )
    session_s = calibration.session_hours * 3600
    if session_s <= config.decision.min_blocks:
        raise ConfigError(
            f"decision.calibration: {path}: made for sessions of {session_s:.0f} s, in which decision.min_blocks "
            f"{config.decision.min_blocks} s never come together; calibrate on longer recordings"
        )
    for stream in config.streams:
        sha256 = None if stream.adapter is None else adapters.sha256(stream.adapter)
        encoder = Encoder.of(replace(model, adapter=stream.adapter), sha256)
        why = calibration.refusal(encoder, sampling_policy(config.faces, detector, stream.ignore))
        if why is not None:
            raise ConfigError(f"decision.calibration: {path}: {why} (stream {stream.name}); calibrate again")
    if calibration.reference(config.decision.min_blocks) is None:
        _log.warning("decision.calibration: %s: not enough sessions to tell drift", path)
