"""What scoring needs of an encoder, and the one function that asks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monitor.errors import MonitorError
from monitor.messages import Crop, Logit, Pixels


class Encoder(Protocol):
    """What scoring needs of a detector; `gend.model.Detector` is one."""

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        """Log-odds of fake, float32 (B,), of crops uint8 (B, S, S, 3), each judged by the fine-tune of that name."""


class BegunBatch(Protocol):
    """A batch that an encoder works at."""

    def logits(self) -> NDArray[np.float32]:
        """Waits for the answer; raises as `Encoder.logits`."""


@runtime_checkable
class ApartEncoder(Encoder, Protocol):
    """An encoder that works beside whoever asks it, so that it can be given the next batch meanwhile."""

    def begin(self, crops: Sequence[Pixels], adapters: Sequence[str | None]) -> BegunBatch:
        """Hands over a batch of crops uint8 (S, S, 3); answers come in the order of batches."""


def score(encoder: Encoder, crops: Sequence[Crop], model: str) -> list[Logit]:
    """Scores one batch.

    Args:
        encoder: what looks at the pixels.
        crops: at least one, all of one size.
        model: name of the weights.

    Returns:
        One logit for each crop, in their order.

    Raises:
        MonitorError: the encoder did not answer with one number for each crop.
    """
    logits = encoder.logits(np.stack([crop.pixels for crop in crops]), [crop.adapter for crop in crops])
    return told(crops, logits, model)


def told(crops: Sequence[Crop], logits: NDArray[np.float32], model: str) -> list[Logit]:
    """An encoder's answer to crops, as it is passed on; as `score`."""
    if logits.shape != (len(crops),):
        raise MonitorError(f"{model}: expected {len(crops)} logits, got an array of shape {logits.shape}")
    return [
        Logit(
            crop.stream,
            crop.track,
            crop.at_s,
            float(logit),
            crop.quality,
            model if crop.adapter is None else f"{model}+{crop.adapter}",
        )
        for crop, logit in zip(crops, logits, strict=True)
    ]
