"""Why an action does not do what it was asked for, apart from `ForbiddenError`."""

from monitor.errors import MonitorError


class NotFoundError(MonitorError):
    """There is no such thing, or it is of a stream that whoever asks may not see: both read alike."""


class RefusedError(MonitorError):
    """What was asked for cannot be meant.

    Args:
        field: which part of it.
        why: in words for whoever asks.
    """

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class ConflictError(MonitorError):
    """It cannot be done as things stand."""


class BusyError(MonitorError):
    """Too many ask for it at once; later it may be done."""
