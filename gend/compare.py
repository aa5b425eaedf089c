"""How far two detectors are apart on the same faces: engines, precisions, int8 networks, or other weights altogether.

A comparison of an int8 network with its own weights in fp32 is what `engine: auto` goes by (`engines/reports.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from gend.engines.choose import Wish
from gend.engines.cpu import CPU
from gend.engines.exported import is_exported, read_exported
from gend.engines.load import Loaded, load_engine
from gend.engines.reports import FEWEST_CROPS, Report, arithmetic
from gend.engines.spec import Spec
from gend.errors import GendError
from gend.face_crops import AlignedFace
from gend.metrics import auroc
from gend.preprocess import encoder_input

Logits = NDArray[np.float64]

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, as it ran."""

    name: str
    """As asked for."""
    weights_sha256: str
    engine: str
    precision: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How two sets of logits of the same crops differ."""

    max_drift: float
    """The largest absolute difference of a crop's two logits."""
    mean_drift: float
    """The mean of them."""
    rank_correlation: float | None
    """Spearman's; None where one side says the same of all crops."""
    auroc_a: float | None
    """None unless there are crops of both labels."""
    auroc_b: float | None

    @property
    def auroc_difference(self) -> float | None:
        """B's less A's."""
        return None if self.auroc_a is None or self.auroc_b is None else self.auroc_b - self.auroc_a


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out."""

    a: Side
    b: Side
    crops: int
    real: int
    """Crops of that label."""
    fake: int
    figures: Figures


def compare(a: Spec, b: Spec, faces: Callable[[], Iterable[AlignedFace]], *, threads: int | None = None) -> Comparison:
    """Runs both, one after the other, so that one network is in memory at a time.

    Args:
        a: what the other is measured by.
        b: the other.
        faces: gives the same faces each time it is called.
        threads: CPU threads; None takes all cores.

    Raises:
        GendError: Where one of them cannot be had, there are no faces, or the two runs saw different ones.
    """
    side_a, logits_a, labels = _run(a, faces, threads)
    side_b, logits_b, labels_b = _run(b, faces, threads)
    if not len(logits_a):
        raise GendError("no faces in these pictures")
    if not np.array_equal(labels, labels_b, equal_nan=True):
        raise GendError("the pictures changed between one run and the other")
    count = len(logits_a), int((labels == 0).sum()), int((labels == 1).sum())
    return Comparison(side_a, side_b, *count, drift(logits_a, logits_b, labels))


def drift(a: Logits, b: Logits, labels: Logits) -> Figures:
    """How two sets of logits differ. All are (n,), n > 0; a label is 0 real, 1 fake, NaN where nobody says."""
    difference = np.abs(a - b)
    return Figures(
        float(difference.max()), float(difference.mean()), _spearman(a, b), _auroc(a, labels), _auroc(b, labels)
    )


def report_of(comparison: Comparison, b: Spec) -> Report | None:
    """What `auto` may go by: a report on an int8 network that was compared with its own weights in fp32.

    None where something else was compared, or too few crops.
    """
    first, second = comparison.a, comparison.b
    same = first.weights_sha256 == second.weights_sha256 and first.precision == "fp32" and second.precision == "int8"
    if not same or not is_exported(b.weights) or comparison.crops < FEWEST_CROPS:
        return None
    exported = read_exported(b.weights)
    return Report(
        weights_sha256=first.weights_sha256,
        folder=str(exported.folder.resolve()),
        model_sha256=exported.sha256,
        arithmetic=arithmetic(CPU.here()),
        crops=comparison.crops,
        max_drift=comparison.figures.max_drift,
        mean_drift=comparison.figures.mean_drift,
    )


def _run(spec: Spec, faces: Callable[[], Iterable[AlignedFace]], threads: int | None) -> tuple[Side, Logits, Logits]:
    """The logits of all faces, and their labels."""
    # A comparison is what decides whether a drift is small enough: none is too large for it.
    wish = Wish(spec.engine, spec.precision, device="cpu", max_logit_drift=float("inf"))
    loaded = load_engine(spec.weights, wish, threads=threads)
    side = Side(spec.weights, loaded.sha256, loaded.engine.name, loaded.engine.precision)
    logits: list[float] = []
    labels: list[float] = []
    for batch in _batches(faces()):
        logits += _judged(loaded, batch)
        labels += [float("nan") if face.file.label is None else face.file.label for face in batch]
    return side, np.array(logits, np.float64), np.array(labels, np.float64)


def _judged(loaded: Loaded, batch: list[AlignedFace]) -> list[float]:
    crops = [encoder_input(face.pixels, loaded.input_px, interpolation=loaded.interpolation) for face in batch]
    logits: list[float] = loaded.engine.logits(np.stack(crops)).tolist()
    return logits


def _batches(faces: Iterable[AlignedFace]) -> Iterator[list[AlignedFace]]:
    batch: list[AlignedFace] = []
    for face in faces:
        batch.append(face)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _spearman(a: Logits, b: Logits) -> float | None:
    ranks_a, ranks_b = rankdata(a), rankdata(b)
    if np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return None
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def _auroc(logits: Logits, labels: Logits) -> float | None:
    real, fake = logits[labels == 0], logits[labels == 1]
    return auroc(real, fake) if len(real) and len(fake) else None
