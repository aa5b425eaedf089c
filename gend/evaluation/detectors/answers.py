"""What networks of others take and say, in our terms: crops in, log-odds of fake out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from gend.errors import GendError
from gend.evaluation.config import OnnxDetector, TorchScriptDetector
from gend.evaluation.detectors import Floats, Identity, Pixels
from gend.preprocess import encoder_input
from gend.resample import Interpolation
from gend.tensor_files import sha256

Meaning = Literal["logit", "logits", "probability", "probabilities"]
"""One number for each crop, or one for each class of it."""

_LEAST = 1e-7
"""Probabilities nearer to 0 or 1 are taken for this near: float32 knows no others, and their odds are infinite."""


def identity_of(section: TorchScriptDetector | OnnxDetector, engine: str) -> Identity:
    """What a network in a file is known by: its bytes, and how it is asked.

    Raises:
        WeightsError: it cannot be read.
    """
    asked = section.model_dump(mode="json", exclude={"file", "kind", "device"}, exclude_defaults=True)
    return Identity(
        kind=section.kind,
        weights=str(section.file),
        sha256=sha256([section.file]),
        engine=engine,
        precision="its own",
        input=", ".join(f"{key} {value}" for key, value in asked.items()),
    )


def normalised(
    crops: Sequence[Pixels],
    input_px: int,
    interpolation: Interpolation,
    mean: Sequence[float],
    std: Sequence[float],
) -> Floats:
    """Crops of any size → float32 (n, 3, input_px, input_px), of mean and standard deviation as a network knows it."""
    square = np.stack([encoder_input(crop, input_px, interpolation=interpolation) for crop in crops])
    scaled = (square.astype(np.float32) / 255 - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def log_odds(
    answer: NDArray[np.floating], meaning: Meaning, count: int, *, fake: Sequence[int], inverted: bool, name: str
) -> Floats:
    """Log-odds of fake, float32 (n,). What is not a number stays so.

    Args:
        answer: what the network said: (n,), (n, 1) or (n, classes).
        meaning: one number or one for each class; log-odds, or probabilities.
        count: n.
        fake: classes that are fake.
        inverted: the one number speaks of real.
        name: of the network, for errors.

    Raises:
        GendError: the answer is of another shape, probabilities are not, or there is no such class.
    """
    values = np.asarray(answer, np.float64)
    if meaning in ("probability", "probabilities") and bool(((values < -1e-3) | (values > 1 + 1e-3)).any()):
        raise GendError(f"{name}: says {values.min():g} to {values.max():g}, which are no probabilities; see `output`")
    if meaning in ("logit", "probability"):
        if values.shape not in ((count,), (count, 1)):
            raise GendError(f"{name}: output {meaning} is one number per crop, and it gives {_shape(values, count)}")
        one = values.reshape(count)
        odds = one if meaning == "logit" else _odds(one)
        return (-odds if inverted else odds).astype(np.float32)
    if values.ndim != 2 or len(values) != count or values.shape[1] < 2:
        raise GendError(f"{name}: output {meaning} is a number for each class, and it gives {_shape(values, count)}")
    classes = values.shape[1]
    if max(fake) >= classes or min(fake) < 0 or len(set(fake)) == classes:
        raise GendError(f"{name}: has {classes} classes, 0 to {classes - 1}; fake is {list(fake)}")
    chosen = np.isin(np.arange(classes), fake)
    if meaning == "probabilities":
        return _odds(values[:, chosen].sum(axis=1)).astype(np.float32)
    return np.asarray(logsumexp(values[:, chosen], axis=1) - logsumexp(values[:, ~chosen], axis=1), np.float32)


def _odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(kept / (1 - kept)))


def _shape(values: NDArray[np.float64], count: int) -> str:
    return f"{values.shape} for {count}"
