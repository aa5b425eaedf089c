"""How the learning rate runs: up in a ramp, then down in half a cosine, once or over and over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Schedule:
    """Share of the full learning rate at each step.

    Attributes:
        kind: `cosine` falls once, over all steps; `cyclic` falls in each cycle and starts the next at full rate;
            `constant` stays.
        steps: of the optimiser, in all.
        warm_up: steps of the ramp before.
        cycle: steps of one cycle, for `cyclic`.
        least: share that is left at the end.
    """

    kind: Literal["cosine", "cyclic", "constant"]
    steps: int
    warm_up: int = 0
    cycle: int = 0
    least: float = 0.0

    def at(self, step: int) -> float:
        """At a step, from 0."""
        if step < self.warm_up:
            return (step + 1) / (self.warm_up + 1)  # the first step learns something, too
        if self.kind == "constant":
            return 1.0
        span = self.cycle if self.kind == "cyclic" else self.steps - self.warm_up
        done = (step - self.warm_up) / max(span, 1)
        done = done % 1 if self.kind == "cyclic" else min(done, 1.0)
        return self.least + (1 - self.least) * 0.5 * (1 + math.cos(math.pi * done))
