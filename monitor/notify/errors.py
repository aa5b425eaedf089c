"""How a delivery fails."""

from __future__ import annotations

from monitor.errors import MonitorError


class DeliveryError(MonitorError):
    """The target has not taken a notification, as far as is known; it is tried again.

    Args:
        reason: one line without credentials.
        refused: the target has said no; to wait may not help.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused
