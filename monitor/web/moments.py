"""Moments as they come in requests."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.actions import RefusedError


def utc(moment: datetime, field: str) -> datetime:
    """The moment in UTC.

    Raises:
        RefusedError: it lies beyond the years that there are.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise RefusedError(field, "this is no year that there is") from None
