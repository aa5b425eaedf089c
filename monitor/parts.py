"""Loads what a pipeline is made of: the encoder and the face detectors. Slow, and done before anything starts."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from gend.faces import load_detector
from gend.model import Detector
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig
from monitor.decision import Calibration, read_calibration, sampling_policy
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
        _check_calibration(calibration, config, model, kind)
    return Parts(encoder, model, new_face_detector, stream_adapters, kind, calibration)


def _check_calibration(calibration: Calibration, config: MonitorConfig, model: ModelIdentity, detector: str) -> None:
    path, hours = config.decision.calibration, config.decision.session_hours
    if hours is not None and hours != calibration.session_hours:
        raise ConfigError(
            f"decision.calibration: {path}: made for sessions of {calibration.session_hours:.3g} h, but "
            f"decision.session_hours is {hours:g}"
        )
    policy = sampling_policy(config.faces, detector)
    for stream in config.streams:
        why = calibration.refusal(replace(model, adapter=stream.adapter), policy)
        if why is not None:
            raise ConfigError(f"decision.calibration: {path}: {why} (stream {stream.name}); calibrate again")
