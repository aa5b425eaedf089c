"""What the encoder gives: batches as the service takes them, when nothing else of ours runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from monitor.capacity.costs import EncoderCost
from monitor.capacity.processor_time import cpu_s, machine_cpu_s, own_processes
from monitor.scoring import crops_at_once
from monitor.steps import Parts

_LONGEST_S = 30.0
_LEAST_BATCHES = 3


def measure_encoder(parts: Parts, max_batch: int, seconds: float, progress: Callable[[float], None]) -> EncoderCost:
    """Has crops of noise scored for so long; what they show makes no difference to what they cost.

    Args:
        parts: the encoder.
        max_batch: `encoder.max_batch`.
        seconds: how long; on a slow machine a few batches take longer.
        progress: told the part that is done, 0 to 1.
    """
    px = parts.encoder.input_px
    crops = np.random.default_rng(0).integers(0, 256, (max_batch, px, px, 3), dtype=np.uint8)
    parts.encoder.logits(crops[:1])  # the first one loads and compiles
    began_s = time.perf_counter()
    parts.encoder.logits(crops[:1])
    crop_s = time.perf_counter() - began_s
    batch = min(max_batch, crops_at_once(crop_s))
    parts.encoder.logits(crops[:batch])
    done = batches = 0
    began_s, own_s, machine_s = time.perf_counter(), cpu_s(own_processes()), machine_cpu_s()
    while True:
        passed_s = time.perf_counter() - began_s
        if passed_s >= _LONGEST_S or (passed_s >= seconds and batches >= _LEAST_BATCHES):
            break
        parts.encoder.logits(crops[:batch])
        done, batches = done + batch, batches + 1
        progress(min(1.0, passed_s / seconds))
    model = parts.model
    name = f"{model.weights}, {model.engine} {model.precision}"
    took_s = cpu_s(own_processes()) - own_s
    elsewhere_s = max(0.0, machine_cpu_s() - machine_s - took_s)
    return EncoderCost(name, done / passed_s, took_s / done, elsewhere_s / passed_s)
