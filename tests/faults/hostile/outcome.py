"""What became of a hostile stream: the lines that pass from the child that watches streams to its parent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self

End = Literal["ended", "refused", "live", "stuck"]


@dataclass(frozen=True)
class Outcome:
    """One stream that is over."""

    name: str
    end: End
    """It ended by itself, was refused with a reason, was stopped at the time limit, or could not be stopped."""
    reason: str | None
    frames: int
    distrusted: int
    analysed: int
    crops: int
    broken_rules: tuple[str, ...]
    """What must never happen, and did."""
    failure: str | None
    """Why analyses raised, where some did."""
    took_s: float
    rss_mb: float
    """Of the whole child, when the stream was over."""
    peak_mb: float
    """The most that the child ever had until then."""

    def line(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Self:
        """The reverse of `line`."""
        values = json.loads(line)
        values["broken_rules"] = tuple(values["broken_rules"])
        return cls(**values)
