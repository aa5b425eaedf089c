"""What was measured: the machine, a stream on it, the encoder on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to use."""

    cores: float
    """That this process may use; a container's share of time may be a fraction."""
    memory_mb: float
    """That is free now, with the encoder loaded."""


@dataclass(frozen=True, slots=True)
class StreamCost:
    """What one stream took while it was looked at."""

    seconds: float
    """For which it was looked at."""
    cores: float
    """CPU seconds per second of its process: reading, decoding, finding and following faces, cutting crops."""
    memory_mb: float
    """Of its process, without what it shares with others."""
    fps: float
    """Frames decoded per second."""
    faces: float
    """Followed at a time, on average."""
    faces_share: float
    """Share of the time in which any was, 0 to 1."""
    crops_per_s: float
    """That it had for the encoder."""


@dataclass(frozen=True, slots=True)
class EncoderCost:
    """What the encoder gives when nothing else of ours runs."""

    name: str
    """Weights, engine and precision."""
    crops_per_s: float
    cpu_s_per_crop: float
    """CPU seconds; on a GPU what is left for the CPU to do."""
    elsewhere_cores: float
    """What other programs took of the machine meanwhile, CPU seconds per second: the encoder is faster without them."""
