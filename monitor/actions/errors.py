"""Why an action does not do what it was asked for, apart from `ForbiddenError`."""

from collections.abc import Sequence

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


class FaultyError(MonitorError):
    """What was sent cannot be meant, in one or several of its fields.

    Args:
        faults: fields, and what is wrong with each.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{place}: {what}" for place, what in faults))
        self.faults = tuple(faults)


class ConflictError(MonitorError):
    """It cannot be done as things stand."""


class BusyError(MonitorError):
    """Too many ask for it at once; later it may be done."""
