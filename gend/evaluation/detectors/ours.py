"""Detectors of this project, by any of its engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from gend.engines.spec import Spec
from gend.errors import GendError
from gend.evaluation.config import GendDetector
from gend.evaluation.detectors import Floats, Identity, Pixels
from gend.model import Detector

_ADAPTER = "adapter"


class GendScorer:
    """A GenD detector, or a fine-tune of it."""

    def __init__(self, detector: Detector, *, adapter: str | None = None) -> None:
        self._detector = detector
        self._adapter = None if adapter is None else _ADAPTER
        known = detector.identity
        parts = [known.sha256, *([detector.adapters[_ADAPTER]] if adapter is not None else [])]
        self.identity = Identity(
            kind="gend",
            weights=" + ".join([known.weights, *([adapter] if adapter is not None else [])]),
            sha256="+".join(parts),
            engine=known.engine,
            precision=known.precision,
            input=f"{detector.input_px} px, {detector.interpolation}",
            notices=detector.notices,
        )

    @classmethod
    def load(cls, section: GendDetector) -> Self:
        """Loads the weights, and the fine-tune where there is one.

        Raises:
            WeightsError: as `Detector.load`.
            GendError: likewise, or the section says an engine twice.
        """
        spec = Spec.parse(section.weights)
        engine, precision = section.engine, section.precision
        if spec.weights != section.weights:
            if (engine, precision) != ("auto", "auto"):
                raise GendError(f"{section.weights}: says its engine already; leave out `engine` and `precision`")
            engine, precision = spec.engine, spec.precision
        detector = Detector.load(
            spec.weights,
            engine=engine,
            precision=precision,
            device=section.device,
            threads=section.threads,
            adapters=None if section.adapter is None else {_ADAPTER: section.adapter},
        )
        return cls(detector, adapter=None if section.adapter is None else str(section.adapter))

    def logits(self, crops: Sequence[Pixels]) -> Floats:
        """Log-odds of fake of each crop, float32 (n,)."""
        prepared = np.stack([self._detector.prepare(crop) for crop in crops])
        return self._detector.logits(prepared, None if self._adapter is None else [self._adapter] * len(crops))
