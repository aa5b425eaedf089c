"""How a delivery fails."""

from __future__ import annotations

from monitor.errors import MonitorError


class DeliveryError(MonitorError):
    """The target has not taken a notification, as far as is known; it is tried again.

    Args:
        reason: one line without credentials.
        refused: it was the target that said no, or may have been: it will not help to wait for the network.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
