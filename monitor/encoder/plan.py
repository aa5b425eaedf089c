"""What an encoder is made of, and what there is to know of one that is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

from gend.engines import Device
from gend.engines.choose import AnyEngine, AnyPrecision
from gend.model import Detector, Identity
from gend.resample import Interpolation
from monitor.config import EncoderConfig


@dataclass(frozen=True, slots=True)
class EncoderPlan:
    """What an encoder is made of, wherever it runs: can be pickled. The fields are those of `Detector.load`."""

    weights: str
    engine: AnyEngine = "auto"
    precision: AnyPrecision = "auto"
    device: Device = "auto"
    threads: int | None = None
    max_logit_drift: float = 0.1
    adapters: Mapping[str, str] | None = None

    @classmethod
    def of(cls, config: EncoderConfig) -> Self:
        """The one that a configuration names."""
        return cls(
            config.weights,
            engine=config.engine,
            precision=config.precision,
            device=config.device,
            # The demo encoder is so small that more threads than one only get in each other's way.
            threads=1 if config.weights == "demo" else None,
            max_logit_drift=config.max_logit_drift,
            adapters=config.adapters or None,
        )

    def load(self) -> Detector:
        """Loads it into this process; raises as `Detector.load`."""
        return Detector.load(
            self.weights,
            engine=self.engine,
            precision=self.precision,
            device=self.device,
            threads=self.threads,
            max_logit_drift=self.max_logit_drift,
            adapters=self.adapters,
        )

    def again(self, identity: Identity, adapters: Mapping[str, str] | None) -> Self:
        """The same once more, with other fine-tunes: what `auto` was then, it stays."""
        engine, _, device = identity.engine.partition("-")
        return replace(
            self,
            engine=cast("AnyEngine", engine),
            precision=cast("AnyPrecision", identity.precision),
            device=cast("Device", device),
            adapters=adapters,
        )


@dataclass(frozen=True, slots=True)
class Description:
    """What others ask of a detector besides logits."""

    identity: Identity
    input_px: int
    interpolation: Interpolation
    notices: tuple[str, ...]

    @classmethod
    def of(cls, detector: Detector) -> Self:
        """That of a loaded one."""
        return cls(detector.identity, detector.input_px, detector.interpolation, detector.notices)
