"""A read-only window on live streams: what is decided of them is seen there, and cannot be changed by it."""

from __future__ import annotations

from typing import Protocol

from monitor.messages import Crop, Logit, Verdict


class Tap(Protocol):
    """Shown what passes between the steps. Its methods are called by the steps' own threads: none may wait or raise."""

    def crop(self, crop: Crop) -> None:
        """A crop goes to the encoder; called from the streams' threads."""

    def logit(self, logit: Logit) -> None:
        """The encoder has answered; called from its thread."""

    def verdict(self, verdict: Verdict) -> None:
        """Something new is held of a track; called from the event loop."""
