"""Loads what a pipeline is made of: the encoder and the face detectors. Slow, and done before anything starts."""

from __future__ import annotations

import logging
from functools import partial

from gend.faces import load_detector
from gend.model import Detector
from monitor.adapters import StreamAdapters
from monitor.calibrations import StreamCalibrations, check_calibrations, read_calibrations
from monitor.config import MonitorConfig
from monitor.encoder import EncoderPlan, IsolatedEncoder
from monitor.messages import ModelIdentity
from monitor.steps import Parts

_log = logging.getLogger("monitor.service")

# Below the gate's confidence on purpose: an uncertain face still carries a track on, it is only not scored.
_SEARCH_CONFIDENCE = 0.4


def load_parts(config: MonitorConfig) -> Parts:
    """Loads the encoder's weights into this process and finds out which face detector there is.

    Raises:
        GendError: weights or detector cannot be had.
        ConfigError: a calibration cannot be read, or is of another encoder or other settings.
    """
    calibrations = read_calibrations(config)
    return _with_encoder(config, calibrations, EncoderPlan.of(config.encoder).load(), None)


def load_live_parts(config: MonitorConfig) -> Parts:
    """The same for live streams: the encoder is where `workers.isolation` says. Close what this returns.

    Raises:
        GendError, ConfigError: as `load_parts`.
        MonitorError: the encoder's process cannot be had.
    """
    if config.workers.isolation == "thread":
        return load_parts(config)
    calibrations = read_calibrations(config)
    encoder = IsolatedEncoder.load(EncoderPlan.of(config.encoder), config.encoder.max_batch)
    try:
        return _with_encoder(config, calibrations, encoder, encoder)
    except BaseException:
        encoder.close()
        raise


def _with_encoder(
    config: MonitorConfig,
    calibrations: StreamCalibrations,
    encoder: Detector | IsolatedEncoder,
    process: IsolatedEncoder | None,
) -> Parts:
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
    parts = Parts(encoder, model, new_face_detector, stream_adapters, kind, calibrations, process)
    check_calibrations(calibrations, config, parts.encoder_of, kind)
    for name, calibration in calibrations.own.items():
        if calibration is not None and calibration.reference(config.decision.min_blocks) is None:
            _log.warning("%s: its calibration has not enough sessions to tell drift", name)
    return parts
