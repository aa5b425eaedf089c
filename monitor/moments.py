"""Lengths and moments of time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from monitor.errors import ConfigError

MOST_SNOOZE_DAYS = 31
"""A stream that is snoozed for longer would be forgotten."""

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def duration(text: str) -> timedelta:
    """Reads `90m`, `2h`, `1h30m` or `7d`.

    Raises:
        ConfigError: it is none of these.
    """
    parts = re.findall(r"(\d{1,6})([dhms])", text)
    units = [unit for _, unit in parts]
    if not parts or "".join(map("".join, parts)) != text or units != sorted(set(units), key="dhms".index):
        raise ConfigError(f"{text}: not a length of time; write it as 30m, 2h, 1h30m or 7d")
    return timedelta(**{_UNITS[unit]: int(number) for number, unit in parts})


def moment(text: str, now: datetime) -> datetime:
    """Reads `18:00` (the next one) or `2026-01-31T18:00`; local time where the text names no zone.

    Args:
        text: what was typed.
        now: with its zone.

    Raises:
        ConfigError: it is neither.
    """
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}", text):
            hour, minute = map(int, text.split(":"))
            # Without a zone until the day is known: tomorrow the clocks may have been changed.
            here = now.astimezone().replace(tzinfo=None)
            today = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
            return (today if today > here else today + timedelta(days=1)).astimezone()
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise ConfigError(f"{text}: not a moment; write it as 18:00 or 2026-01-31T18:00") from None
