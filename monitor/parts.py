"""Loads what a pipeline is made of: the encoder and the face detectors. Slow, and done before anything starts."""

from __future__ import annotations

import logging
from functools import partial

from gend.faces import load_detector
from gend.model import Detector
from monitor.adapters import StreamAdapters
from monitor.config import MonitorConfig
from monitor.messages import ModelIdentity
from monitor.pipeline import Parts

_log = logging.getLogger("monitor.service")

# Below the gate's confidence on purpose: an uncertain face still carries a track on, it is only not scored.
_SEARCH_CONFIDENCE = 0.4


def load_parts(config: MonitorConfig) -> Parts:
    """Loads the encoder's weights and finds out which face detector there is.

    Raises:
        GendError: weights or detector cannot be had.
    """
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
    return Parts(
        encoder, model, new_face_detector, StreamAdapters(config, encoder.set_adapters, lambda: encoder.adapters)
    )
