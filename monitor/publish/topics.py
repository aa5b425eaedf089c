"""Names of the topics below one prefix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic the service publishes to, Home Assistant's discovery apart.

    Attributes:
        prefix: first level, or levels, of each.
    """

    prefix: str

    @property
    def service(self) -> str:
        """Retained `online` or `offline`; the last will."""
        return f"{self.prefix}/status"

    def stream_status(self, stream: str) -> str:
        """Retained JSON of `payloads.status`."""
        return f"{self.prefix}/streams/{stream}/status"

    def stream_alert(self, stream: str) -> str:
        """Retained `ON` while an alert episode of the stream is open, else `OFF`."""
        return f"{self.prefix}/streams/{stream}/alert"

    def track(self, stream: str, track: str) -> str:
        """JSON of `payloads.verdict`, QoS 0, not retained."""
        return f"{self.prefix}/streams/{stream}/tracks/{track}"

    def events(self, stream: str) -> str:
        """JSON of `payloads.event`, QoS 0, not retained."""
        return f"{self.prefix}/events/{stream}"

    def alerts(self, stream: str) -> str:
        """JSON of `payloads.alert`, QoS 1, through the outbox, not retained."""
        return f"{self.prefix}/alerts/{stream}"
