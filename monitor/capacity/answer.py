"""From what was measured to how many streams that makes, and what they fail on first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from monitor.capacity.costs import EncoderCost, Machine, StreamCost

USED = 0.8
"""Share of cores, encoder and free memory that is planned with: the service itself and busy moments need the rest."""

LimitName = Literal["cores", "encoder", "memory"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One of the things that many streams may run out of."""

    name: LimitName
    streams: float | None
    """How many like these it is enough for; None where they took nothing of it."""
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How many streams like the measured ones."""

    streams: int
    """All limits kept; may be 0."""
    limit: LimitName
    """The one that is reached first."""
    helps: str
    """What moves that limit."""
    limits: tuple[Limit, ...]
    faces_at_a_time: float
    """Faces of all streams together for which the encoder is enough, each with the crops that it asks for at least."""


def capacity_of(machine: Machine, streams: Sequence[StreamCost], encoder: EncoderCost, crops_per_s: float) -> Answer:
    """How many streams of the same kind, in the same mixture, the machine carries.

    Cores are shared: streams and an encoder on the CPU take theirs from the same. The encoder has a limit of its own
    where it cannot use them all, or is on a GPU.

    Args:
        machine: what there is.
        streams: what each took, at least one.
        encoder: what it gives.
        crops_per_s: that a face asks for which nothing speaks against.
    """
    cores, wanted = fmean(stream.cores for stream in streams), fmean(stream.crops_per_s for stream in streams)
    memory_mb = fmean(stream.memory_mb for stream in streams)
    scoring = wanted * encoder.cpu_s_per_crop
    limits = (
        Limit(
            "cores",
            _times(machine.cores, cores + scoring),
            f"a stream takes {cores:.3f} of {machine.cores:g}, its crops in the encoder {scoring:.3f}",
        ),
        Limit(
            "encoder",
            _times(encoder.crops_per_s, wanted),
            f"a stream wants {wanted:.2f} of {encoder.crops_per_s:.1f} crops/s"
            if wanted
            else f"of {encoder.crops_per_s:.1f} crops/s none was wanted: no face was fit to be scored",
        ),
        Limit(
            "memory",
            _times(machine.memory_mb, memory_mb),
            f"a stream takes {memory_mb:.0f} MB of {machine.memory_mb:.0f} MB free",
        ),
    )
    first = min(limits, key=lambda limit: math.inf if limit.streams is None else limit.streams)
    carries = 0 if first.streams is None else math.floor(first.streams)
    helps = _helps(first.name, mostly_scoring=scoring > cores)
    return Answer(carries, first.name, helps, limits, USED * encoder.crops_per_s / crops_per_s)


def _times(there_is: float, each: float) -> float | None:
    return USED * there_is / each if each > 0 else None


def _helps(limit: LimitName, *, mostly_scoring: bool) -> str:
    if limit == "memory":
        return "more memory; `workers.isolation: thread`, which takes about half"
    if limit == "encoder" or mostly_scoring:
        return "a GPU; int8 (`gend export`); a larger `faces.min_face_px`; a smaller `faces.crops_per_s`"
    return "more cores; a smaller picture or frame rate from the camera; a smaller `faces.analysis_fps`"
